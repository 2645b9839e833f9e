import { afterEach, expect } from "vitest";
import { createHub, type Hub, type HubOptions, type SubscribeOptions } from "../../src/index.ts";
import { type RecordedEvent, StreamRecorder } from "./recorder.ts";
import { request, tick } from "./web.ts";

type Init = Parameters<typeof request>[0] & { lastEventId?: string | undefined };

const hubs: { hub: Hub; errors: unknown[] }[] = [];
const clients: HubClient[] = [];

/** A failure in the background: its message and where it came from. */
export type Failure = [stage: string, message: string];

/** A hub that is closed at the end of the test, which fails on errors in the background that it did not take away. */
export function openHub(options: HubOptions = {}): { hub: Hub; errors: Failure[] } {
  const errors: Failure[] = [];
  const onError: HubOptions["onError"] = (error, { stage }) => errors.push([stage, (error as Error)?.message ?? error]);
  const hub = createHub({ onError, ...options });
  hubs.push({ hub, errors });
  return { hub, errors };
}

afterEach(async () => {
  for (const client of clients.splice(0)) await client.leave();
  const all = hubs.splice(0);
  for (const { hub } of all) await hub.close();
  expect(all.flatMap(({ errors }) => errors)).toEqual([]);
});

/** Follows channels of a hub over a web response. */
export async function follow(
  hub: Hub,
  channels: string | readonly string[] | SubscribeOptions,
  { lastEventId, ...init }: Init = {},
): Promise<HubClient> {
  const named = typeof channels === "string" ? [channels] : channels;
  const options = (Array.isArray(named) ? { channels: named } : named) as SubscribeOptions;
  const headers = new Headers(init.headers);
  if (lastEventId !== undefined) headers.set("last-event-id", lastEventId);
  return new HubClient(await hub.response(request({ ...init, headers }), options), hub, options, lastEventId);
}

/** Follows, and waits until the client has its place in the log. */
export async function joined(...[hub, channels, init]: Parameters<typeof follow>): Promise<HubClient> {
  const client = await follow(hub, channels, init);
  await client.settle();
  return client;
}

/** The client of a hub. It reads as bytes come, unless it is paused. */
export class HubClient {
  readonly response: Response;
  readonly status: number;
  readonly parser: StreamRecorder = new StreamRecorder();
  /** The chunks as they came. */
  readonly chunks: string[] = [];
  ended = false;
  #left = false;
  readonly #hub: Hub;
  readonly #options: SubscribeOptions;
  readonly #sentId: string;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  #paused = false;
  #reading = false;
  #heard = 0;
  #waiting: (() => void)[] = [];

  constructor(response: Response, hub: Hub, options: SubscribeOptions, sentId = "") {
    clients.push(this);
    this.#sentId = sentId;
    this.response = response;
    this.status = response.status;
    this.#hub = hub;
    this.#options = options;
    this.#reader = response.body?.getReader() ?? null;
    if (this.#reader === null) this.ended = true;
    else void this.#read(this.#reader);
  }

  /** The checkpoint that the stream opened with, `null` where something else came first. */
  get opening(): RecordedEvent | null {
    const [first] = this.parser.events;
    return first?.type === "sse:checkpoint" ? first : null;
  }

  /** Everything that was received after the opening. */
  get events(): readonly RecordedEvent[] {
    return this.opening === null ? this.parser.events : this.parser.events.slice(1);
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  /** The data of the events that were published. */
  get data(): string[] {
    return this.events.filter(({ type }) => !type.startsWith("sse:")).map(({ data }) => data);
  }

  /** The data of control events, parsed. */
  control(type: "gap" | "reset" | "checkpoint" | "later" | "end"): Record<string, unknown>[] {
    return this.events.filter((event) => event.type === `sse:${type}`).map(({ data }) => JSON.parse(data));
  }

  /** Why it is to reconnect later, if the stream ends by saying so; with the time that browsers honor. */
  get later(): { reason: string; retry: number | undefined } | undefined {
    return this.status === 200 ? this.parser.later : undefined;
  }

  /** The id that a browser would send: the previous one, until it receives another. */
  get lastEventId(): string {
    return this.parser.lastEventId || this.#sentId;
  }

  /** Resolves as soon as `condition` holds; fails when the stream ends before. */
  async until(condition: () => boolean): Promise<this> {
    while (!condition()) {
      if (this.ended) throw new Error(`The stream ended; it said ${JSON.stringify(this.chunks.join(""))}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this;
  }

  async next(): Promise<RecordedEvent> {
    await this.until(() => this.events.length > this.#heard);
    return this.events[this.#heard++] as RecordedEvent;
  }

  async end(): Promise<this> {
    while (!this.ended) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this;
  }

  /** Lets everything happen that needs no timer. */
  async settle(): Promise<this> {
    for (let turn = 0; turn < 8; turn++) await tick();
    return this;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#reader !== null) void this.#read(this.#reader);
  }

  /** Leaves without a word. */
  async leave(): Promise<this> {
    this.#left = true;
    await this.#reader?.cancel();
    return this;
  }

  /** Disconnects if it is still connected, and reconnects with the last id that it received. */
  async reconnect(options: Partial<SubscribeOptions> = {}, hub: Hub = this.#hub): Promise<HubClient> {
    await this.leave();
    const { lastEventId } = this;
    return joined(hub, { ...this.#options, ...options }, lastEventId === "" ? {} : { lastEventId });
  }

  /** A read that waits when its reader cancels ends, by the standard. Workers reject it where the body was made of bytes. */
  readonly #onReadError = (error: unknown): { done: true; value: undefined } => {
    if (!this.#left) throw error;
    return { done: true, value: undefined };
  };

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    while (!this.#paused && !this.ended) {
      const { done, value } = await reader.read().catch(this.#onReadError);
      if (value !== undefined) {
        this.chunks.push(new TextDecoder().decode(value));
        this.parser.push(value);
      }
      this.ended = done;
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
    this.#reading = false;
  }
}
