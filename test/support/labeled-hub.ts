// A model of a hub for clients that share a connection: held and joining channels, labels, refusals, on a virtual clock.
import type { VirtualEnvironment } from "./virtual-environment.ts";

const encoder = new TextEncoder();

/** An entry of the log. */
interface Entry {
  readonly offset: number;
  readonly channel: string;
  readonly data: string;
}

/** Another response to the next request. */
export type Refusal =
  | { status: number }
  | { later: "connections" | "connectionsPerKey" | "draining" }
  | { later: "channels"; limit: number }
  | { error: string };

/** One log, and the streams that are open on it. All delays come from `random`, on the clock of `environment`. */
export class LabeledHub {
  entries: Entry[] = [];
  epoch = "e0";
  /** The newest offset that was trimmed. */
  trimmed = 0;
  readonly connections: LabeledConnection[] = [];
  readonly requests: { method: string; fields: URLSearchParams; lastEventId: string; url: string }[] = [];
  readonly forbidden: Set<string> = new Set();
  /** The responses of the next requests. */
  readonly refusals: Refusal[] = [];
  /** Channels whose newest event is a value that new clients receive. */
  readonly valued: Set<string> = new Set();
  /** Where new clients and joining channels begin. */
  from: "now" | "start" = "now";
  limit: number | null = null;
  connectionsPerKey: number = Number.POSITIVE_INFINITY;
  labels = true;
  readonly environment: VirtualEnvironment;
  readonly random: () => number;
  #published = 0;

  constructor(environment: VirtualEnvironment, random: () => number = () => 0.5) {
    this.environment = environment;
    this.random = random;
  }

  get top(): number {
    return this.entries.at(-1)?.offset ?? this.trimmed;
  }

  get open(): LabeledConnection[] {
    return this.connections.filter((connection) => connection.isOpen);
  }

  cursor(offset: number): string {
    return `${this.epoch}.${offset}.a`;
  }

  publish(channel: string, data = String(this.#published++)): Entry {
    const entry = { offset: this.top + 1, channel, data };
    this.entries.push(entry);
    for (const connection of this.open) connection.wake();
    return entry;
  }

  trim(count: number): void {
    for (const { offset } of this.entries.splice(0, count)) this.trimmed = offset;
  }

  /** Another log replaces this one. */
  replace(): void {
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
    this.entries = [];
    this.trimmed = 0;
    for (const connection of this.open) connection.cut("end");
  }

  readonly fetch = (async (address: string, init: RequestInit): Promise<Response> => {
    const url = new URL(address, "http://localhost");
    const fields = new URLSearchParams(url.search);
    if (init.body instanceof URLSearchParams) for (const [name, value] of init.body) fields.append(name, value);
    const lastEventId = new Headers(init.headers).get("last-event-id") ?? "";
    this.requests.push({ method: init.method ?? "GET", fields, lastEventId, url: address });
    const signal = init.signal as AbortSignal;
    await this.#pass(this.random() * 40, signal);
    const refusal = this.refusals.shift() ?? this.#refusal(fields);
    if (refusal === undefined) return this.#stream(fields, lastEventId, signal);
    if ("error" in refusal) throw new TypeError(refusal.error);
    if ("status" in refusal) return new Response("no", { status: refusal.status });
    const { later: reason, ...more } = refusal;
    const later = `event: sse:later\nretry: 500\ndata: ${JSON.stringify({ reason, retryAfter: 500, ...more })}\n\n`;
    const limit = this.limit === null ? "" : `: channels ${this.limit}\n`;
    return new Response(limit + later, { headers: { "content-type": "text/event-stream" } });
  }) as unknown as typeof fetch;

  #refusal(fields: URLSearchParams): Refusal | undefined {
    const asked = [...fields.getAll("channel"), ...fields.getAll("join")];
    if (this.limit !== null && asked.length > this.limit) return { later: "channels", limit: this.limit };
    if (this.open.length >= this.connectionsPerKey) return { later: "connectionsPerKey" };
    return asked.length > 0 && asked.every((channel) => this.forbidden.has(channel)) ? { status: 403 } : undefined;
  }

  #stream(fields: URLSearchParams, lastEventId: string, signal: AbortSignal): Response {
    const connection = new LabeledConnection(this, fields, lastEventId);
    this.connections.push(connection);
    signal.addEventListener("abort", () => connection.close());
    return new Response(connection.body, { headers: { "content-type": "text/event-stream" } });
  }

  #pass(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.environment.after(milliseconds, resolve);
      signal.addEventListener("abort", () => {
        cancel();
        reject(signal.reason);
      });
    });
  }
}

/** One stream of the model. It writes one block at a time, after a random delay. */
export class LabeledConnection {
  readonly body: ReadableStream<Uint8Array>;
  readonly held: Set<string>;
  readonly joining: Set<string>;
  isOpen = true;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly #hub: LabeledHub;
  readonly #isLabeled: boolean;
  readonly #blocks: string[] = [];
  #position = 0;
  #heldUpTo = 0;
  #joinedUpTo = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(hub: LabeledHub, fields: URLSearchParams, lastEventId: string) {
    this.#hub = hub;
    this.held = new Set(fields.getAll("channel"));
    this.joining = new Set(fields.getAll("join").filter((channel) => !this.held.has(channel)));
    this.#isLabeled = hub.labels && fields.get("label") === "1";
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => this.close(),
    });
    this.#write(`${hub.limit === null ? "" : `: channels ${hub.limit}\n`}: keep-alive 15000\nretry: 100\n`);
    for (const set of [this.held, this.joining]) {
      for (const channel of set) {
        if (!hub.forbidden.has(channel)) continue;
        set.delete(channel);
        this.#blocks.push(`event: sse:end\ndata: ${JSON.stringify({ channel, reason: "forbidden" })}\n\n`);
      }
    }
    if (lastEventId === "") this.#begin(this.held);
    else this.#resume(lastEventId);
    this.wake();
  }

  /** Ends the stream from the side of the server, or of the network. */
  cut(how: "error" | "end"): void {
    if (!this.isOpen) return;
    this.close();
    if (how === "end") this.#controller.close();
    else this.#controller.error(new TypeError("The line was cut"));
  }

  close(): void {
    this.isOpen = false;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Writes the next block after a while, if there is one. */
  wake(): void {
    if (!this.isOpen || this.#cancelTimer !== null) return;
    this.#cancelTimer = this.#hub.environment.after(this.#hub.random() * 20, () => {
      this.#cancelTimer = null;
      const block = this.#blocks.shift() ?? this.#live();
      if (block === undefined) return;
      this.#write(block);
      this.wake();
    });
  }

  /** The state of channels for a new client, then the position, then their past. */
  #begin(channels: ReadonlySet<string>): void {
    this.#blocks.push(...this.#state(channels));
    this.#heldUpTo = this.#start();
    this.#position = this.#heldUpTo;
    this.#checkpoint(this.#position);
  }

  #start(): number {
    return this.#hub.from === "start" ? this.#hub.trimmed : this.#hub.top;
  }

  #state(channels: ReadonlySet<string>): string[] {
    const { entries, from, valued } = this.#hub;
    const blocks: string[] = [];
    for (const name of from === "now" ? valued : []) {
      const value = entries.filter(({ channel }) => channel === name && follows(channels, channel)).at(-1);
      if (value !== undefined) blocks.push(this.#block(value, `v${value.data}`, false));
    }
    return blocks;
  }

  #resume(lastEventId: string): void {
    const hub = this.#hub;
    const joins = this.joining.size > 0;
    const [epoch, offset] = lastEventId.split(".");
    this.#heldUpTo = Number(offset);
    if (epoch !== hub.epoch) {
      this.#heldUpTo = hub.top;
      this.#lose("sse:reset", joins, { reason: "epoch" });
    } else if (this.#heldUpTo < hub.trimmed) {
      const missed = hub.trimmed - this.#heldUpTo;
      const gap = { missed, from: this.#heldUpTo + 1, to: hub.trimmed, reason: "trimmed", exact: false };
      this.#heldUpTo = hub.trimmed;
      this.#lose("sse:gap", joins, gap);
    }
    this.#joinedUpTo = this.#start();
    this.#blocks.push(...this.#state(this.joining));
    this.#position = joins ? Math.min(this.#heldUpTo, this.#joinedUpTo) : this.#heldUpTo;
    const differs = this.#heldUpTo !== this.#joinedUpTo;
    this.#checkpoint(this.#position, joins && differs ? { held: this.#heldUpTo, joined: this.#joinedUpTo } : {});
  }

  #lose(type: string, joins: boolean, data: object): void {
    const id = joins ? "" : `id: ${this.#hub.cursor(this.#heldUpTo)}\n`;
    const channels = this.#isLabeled ? { channels: [...this.held] } : {};
    this.#blocks.push(`event: ${type}\n${id}data: ${JSON.stringify({ ...data, ...channels })}\n\n`);
  }

  #live(): string | undefined {
    const { entries, trimmed } = this.#hub;
    if (this.#position < trimmed) {
      const gap = { missed: trimmed - this.#position, from: this.#position + 1, to: trimmed, reason: "trimmed" };
      this.#position = trimmed;
      return `event: sse:gap\nid: ${this.#hub.cursor(trimmed)}\ndata: ${JSON.stringify(gap)}\n\n`;
    }
    for (const entry of entries) {
      if (entry.offset <= this.#position) continue;
      this.#position = entry.offset;
      const isHeld = entry.offset > this.#heldUpTo && follows(this.held, entry.channel);
      const isJoined = entry.offset > this.#joinedUpTo && follows(this.joining, entry.channel);
      if (isHeld || isJoined) return this.#block(entry);
      // As a keep-alive of an idle stream does.
      if (this.#hub.random() < 0.2) return this.#checkpointText(entry.offset);
    }
    return undefined;
  }

  #checkpoint(offset: number, data: object = {}): void {
    this.#blocks.push(this.#checkpointText(offset, data));
  }

  #checkpointText(offset: number, data: object = {}): string {
    return `event: sse:checkpoint\nid: ${this.#hub.cursor(offset)}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #block({ offset, channel, data }: Entry, text: string = data, hasId = true): string {
    const id = hasId ? `id: ${this.#hub.cursor(offset)}\n` : "";
    const label = this.#isLabeled ? `channel: ${channel}\n` : "";
    return `event: ${channel}\n${id}${label}data: ${text}\n\n`;
  }

  #write(text: string): void {
    if (this.isOpen) this.#controller.enqueue(encoder.encode(text));
  }
}

function follows(followed: ReadonlySet<string>, channel: string): boolean {
  return [...followed].some(
    (name) => name === channel || (name.endsWith("*") && channel.startsWith(name.slice(0, -1))),
  );
}
