/** The streams that published clients read: from a source, a set and a channel, over connections that can be cut. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { createHub, type EventSource, EventSourceSet, type SubscribeOptions } from "../../src/index.ts";
import { eventually } from "../support/deadline.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import type { Protocol, ProtocolEvent, PublishedClient } from "./published/client.ts";

const keepAlive = 50;
const retry = 20;

/** One way to serve the words. */
interface Origin {
  open(req: IncomingMessage, res: ServerResponse): void;
  /** Sends events to all that read. */
  publish(events: readonly ProtocolEvent[]): void;
  /** Says that the text is complete, as the protocol does. */
  end(): void;
  /** Events of others, which move the position of an idle client. */
  trafficOfOthers?(): void;
  close?(): Promise<void>;
}

/** An application that keeps the events itself, and numbers them. */
function onSource({ headers = {}, end }: Protocol): Origin {
  const events: ProtocolEvent[] = [];
  const sources: EventSource[] = [];
  const send = (source: EventSource, from: number): void => {
    for (let index = from; index < events.length; index++) dispatch(source, events[index], String(index + 1));
  };
  return {
    open(req, res) {
      const source = openEventSource(req, res, { keepAlive, retry, headers });
      sources.push(source);
      send(source, Number(source.lastEventId));
    },
    publish(more) {
      const from = events.push(...more) - more.length;
      for (const source of sources) send(source, from);
    },
    end() {
      for (const source of sources) {
        if (end !== undefined) dispatch(source, end);
        void source.close();
      }
    },
  };
}

/** A group without a memory: its clients receive what is sent while they are connected. */
function onSet({ headers = {}, end }: Protocol): Origin {
  const set = new EventSourceSet();
  return {
    open: (req, res) => void set.add(openEventSource(req, res, { keepAlive, retry, headers })),
    publish(events) {
      for (const event of events) dispatch(set, event);
    },
    end() {
      if (end !== undefined) dispatch(set, end);
      for (const source of set) void source.close();
    },
  };
}

/** A channel of a hub, read from its start. */
function onChannel({ headers = {}, end, control = true }: Protocol): Origin {
  const hub = createHub({ keepAlive, retry });
  const channel = hub.channel("text");
  const options: SubscribeOptions = { channels: ["text"], from: "start", headers };
  if (control) options.control = { end: end ?? false, loss: () => ({ data: { error: "lost" } }) };
  return {
    open: (req, res) => void respond(hub, req, res, options),
    publish(events) {
      for (const { type = "message", data } of events) void channel.dispatch(type, data);
    },
    end: () => void channel.end(),
    trafficOfOthers: () => void hub.channel("other").dispatch("message", "traffic"),
    close: () => hub.close(),
  };
}

export const origins = { source: onSource, set: onSet, channel: onChannel };
export type OriginName = keyof typeof origins;

/** A server for one client and one text. */
export class Stage implements AsyncDisposable {
  /** The streams that were asked for so far. */
  requests = 0;
  readonly #origin: Origin;
  readonly #protocol: Protocol;
  readonly #server: Server;
  readonly #network: FaultProxy;
  readonly #waiting = new Map<number, () => void>();

  static async of({ protocol, answer }: PublishedClient, name: OriginName): Promise<Stage> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const network = await FaultProxy.start((server.address() as { port: number }).port);
    const stage = new Stage(protocol, origins[name](protocol), server, network);
    server.on("request", (req, res) => {
      if (answer?.(req, res) !== true) stage.#open(req, res);
    });
    return stage;
  }

  private constructor(protocol: Protocol, origin: Origin, server: Server, network: FaultProxy) {
    this.#protocol = protocol;
    this.#origin = origin;
    this.#server = server;
    this.#network = network;
  }

  /** The address for the client. */
  get url(): string {
    return `http://127.0.0.1:${this.#network.port}`;
  }

  /** Resolves when so many streams were asked for. */
  requested(count: number): Promise<void> {
    return this.requests >= count ? Promise.resolve() : new Promise((resolve) => this.#waiting.set(count, resolve));
  }

  begin(): void {
    this.#origin.publish(this.#protocol.before);
  }

  say(...words: readonly string[]): void {
    this.#origin.publish(words.map((word) => this.#protocol.word(word)));
  }

  end(): void {
    this.#origin.publish(this.#protocol.after);
    this.#origin.end();
  }

  /** Nothing but keep-alives, two of them. */
  async idle(): Promise<void> {
    this.#origin.trafficOfOthers?.();
    for (let count = 0; count < 2; count++) {
      const before = this.#network.answered;
      await eventually(
        "a keep-alive",
        async () => this.#network.answered,
        (answered) => answered > before,
      );
    }
  }

  /** The network fails, and works again at once. */
  cut(): void {
    this.#network.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#network[Symbol.asyncDispose]();
    await this.#origin.close?.();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #open(req: IncomingMessage, res: ServerResponse): void {
    this.#origin.open(req, res);
    this.#waiting.get(++this.requests)?.();
  }
}

function dispatch(to: EventSource | EventSourceSet, event: ProtocolEvent | undefined, id?: string): void {
  if (event === undefined) return;
  const options = id === undefined ? {} : { id };
  if (event.type === undefined) to.dispatchMessage(event.data, options);
  else to.dispatch(event.type, event.data, options);
}
