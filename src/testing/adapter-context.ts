// One test of the serving suite: its route, its clients, and the sources that have closed.
import type { Channel } from "../hub/channel.ts";
import { createHub, type Hub } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import type { SourceOptions } from "../source/options.ts";
import type { EventSource } from "../source/source.ts";
import { StreamClient } from "./stream-client.ts";

/** The adapter, for one request. */
export interface AdapterRoute {
  /** Opens a source, as the adapter's `openEventSource()` does. */
  open(options?: SourceOptions): EventSource;
  /** Opens a subscription, as the adapter's `respond()` does. */
  respond(hub: Hub, options: SubscribeOptions): Promise<unknown>;
}

/** The handler of a scenario. It gets the adapter for this request, and the hub that the scenario has made. */
export type Route = (route: AdapterRoute, shared: { hub: Hub }) => unknown;

/** One test: the route that it serves, its clients, and the reasons for which its sources closed. */
export class AdapterContext {
  /** The address of the server under test, set once it listens. */
  url = "";
  /** Reasons of the sources that have closed, in order. */
  readonly #closed: string[] = [];
  readonly #signal: AbortSignal;
  /** Left when the test is over, also those that a failed scenario has forgotten. */
  readonly #clients: StreamClient[] = [];
  #route: Route = () => {};
  #hub: Hub | undefined;
  /** How many of `#closed` a scenario has read: a source may close before a scenario waits for it. */
  #reported = 0;
  #onClose: () => void = () => {};

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * The handler of all requests to the server. It listens for the close of each source that the route opens, so that a
   * scenario can await the reason without access to the source.
   */
  async handle(_path: string, { open, respond }: AdapterRoute): Promise<void> {
    const counted = {
      respond,
      open: (options?: SourceOptions) => {
        const source = open(options);
        source.addEventListener("close", ({ reason }) => {
          this.#closed.push(reason);
          this.#onClose();
        });
        return source;
      },
    };
    // Awaited, so that a framework sees when the handler is done: some end a response that is still open then.
    await this.#route(counted, { hub: this.#hub as Hub });
  }

  /** Sets the route before a client connects. These are properties, because scenarios destructure the context. */
  readonly route = (route: Route): void => {
    this.#route = route;
  };

  /** Makes a hub for the route, with its channel `news`, and waits for a subscription that is at the head. */
  readonly hub = (): { news: Channel; live(): Promise<void> } => {
    const hub = createHub();
    this.#hub = hub;
    const live = async (): Promise<void> => {
      // Polls, because a hub has no event for it, and the suite must work with the public names alone.
      // An event that is published before the subscription is live is not for it, unless its client has a position.
      while (hub.stats().live === 0) {
        this.#signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    return { news: hub.channel("news"), live };
  };

  /**
   * Opens a connection, and waits for the header. A server that holds the header until the first event fails here, by the
   * deadline of the test.
   */
  readonly connect = async (init: ConstructorParameters<typeof StreamClient>[1] = {}): Promise<StreamClient> => {
    const client = new StreamClient(this.url + (init.path ?? "/"), init, this.#signal);
    this.#clients.push(client);
    await client.opened;
    return client;
  };

  /** The reason of the next source that closes. */
  readonly closes = async (): Promise<string> => {
    while (this.#closed.length <= this.#reported) {
      await new Promise<void>((resolve, reject) => {
        this.#onClose = resolve;
        this.#signal.addEventListener("abort", () => reject(this.#signal.reason), { once: true });
      });
    }
    return this.#closed[this.#reported++] as string;
  };

  /** The clients leave first, because some servers wait in `close` for their open connections. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.leave();
    await this.#hub?.close();
  }
}
