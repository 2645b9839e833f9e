// Histories of a page that changes its channels: on every channel, delivered and declared are what was published since the
// page joined it, in order and without a duplicate.
import { afterEach, expect, test } from "vitest";
import { createHub, type Hub, parseCursor } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { type HubClient, joined } from "../support/hub.ts";
import { Random } from "./model/random.ts";

const histories = Number(process.env.JOINING_HISTORIES ?? 150);
const firstSeed = Number(process.env.MODEL_SEED ?? 1);
const names = ["a", "b", "c", "p/1", "p/2"];

const hubs: Hub[] = [];
afterEach(() => Promise.all(hubs.splice(0).map((hub) => hub.close())));

test(`${histories} histories from seed ${firstSeed}: no event of a channel is lost or delivered twice when others join`, {
  timeout: 60_000 + histories * 100,
}, async () => {
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    try {
      await happen(seed);
    } catch (error) {
      (error as Error).message = `Seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
  }
});

async function happen(seed: number): Promise<void> {
  const random = new Random(seed);
  for (let warm = 0; warm < 4; warm++) random.next();
  const log = memoryLog({ maxEvents: random.chance(0.5) ? 4 + random.below(12) : 1_000 });
  const hub = createHub({ log, ring: { maxEvents: random.chance(0.5) ? 1 + random.below(4) : 4_096 } });
  hubs.push(hub);
  const page = new Page(hub, random.chance(0.3) ? { from: "start" } : random.chance(0.3) ? { rewind: 3 } : {});
  const published: Published[] = [];
  for (let step = 0; step < 10 + random.below(30); step++) {
    const roll = random.below(10);
    if (roll < 5) published.push(await publish(hub, random, published.length));
    else if (roll < 7) await page.read(random.below(6));
    else if (roll < 8) await page.reconnect();
    else await page.follow(names.filter(() => random.chance(0.5)));
  }
  await page.reconnect();
  await page.read(Number.POSITIVE_INFINITY);
  page.assertComplete(published);
}

interface Published {
  readonly channel: string;
  readonly data: string;
  readonly key: string | undefined;
  readonly offset: number;
}

async function publish(hub: Hub, random: Random, number: number): Promise<Published> {
  const channel = random.pick(names);
  const key = random.chance(0.25) ? random.pick(["x", "y"]) : undefined;
  const data = `${key ?? "-"} ${number}`;
  const cursor = await hub.channel(channel).dispatch("n", data, key === undefined ? {} : { key });
  return { channel, data, key, offset: parseCursor(cursor)?.offset as number };
}

/** One channel of a page, as far as the page has come. */
class Followed {
  /** Its state included everything up to here. */
  readonly joinedAt: number;
  /** Everything up to here was received or declared lost. */
  ahead: number;
  readonly values: Map<string, string>;
  readonly received: { offset: number; data: string }[] = [];
  readonly lost: { from: number; to: number }[] = [];

  constructor(joinedAt: number, values: Map<string, string>) {
    this.joinedAt = joinedAt;
    this.ahead = joinedAt;
    this.values = values;
  }

  accept(offset: number, data: string): void {
    if (offset <= this.ahead) return;
    this.ahead = offset;
    this.received.push({ offset, data });
    this.keep(data);
  }

  keep(data: string): void {
    const [key = ""] = data.split(" ");
    if (key !== "-") this.values.set(key, data);
  }
}

/** A page with one connection: it holds its channels, joins others, and hands over from one connection to the next. */
class Page {
  readonly #hub: Hub;
  readonly #options: object;
  readonly #followed = new Map<string, Followed>();
  /** Wanted, and not known to have joined. */
  #joining = new Set<string>();
  #position = "";
  #connection: Connection | null = null;

  constructor(hub: Hub, options: object) {
    this.#hub = hub;
    this.#options = options;
  }

  /** Follows other channels from now on. The old connection may deliver more before the new one takes over. */
  async follow(channels: readonly string[]): Promise<void> {
    for (const name of this.#followed.keys()) if (!channels.includes(name)) this.#followed.delete(name);
    this.#joining = new Set(channels.filter((name) => !this.#followed.has(name)));
    await this.reconnect();
  }

  async reconnect(): Promise<void> {
    const held = [...this.#followed.keys()];
    const joining = [...this.#joining];
    await this.#connection?.client.leave();
    this.#connection = null;
    if (held.length + joining.length === 0) return;
    const isFirst = held.length === 0;
    const asked = isFirst ? { channels: joining } : { channels: held, join: joining };
    const lastEventId = isFirst ? undefined : this.#position;
    const client = await joined(this.#hub, { ...this.#options, ...asked, label: true }, { lastEventId });
    this.#connection = { client, held, joining, read: 0, isOpen: false, last: 0, values: new Map() };
  }

  /** Receives so many of the events that have arrived. The rest is lost if the connection is cut. */
  async read(count: number): Promise<void> {
    const connection = this.#connection;
    if (connection === null) return;
    await connection.client.settle();
    const { events, ownIds, channels } = connection.client.parser;
    for (let taken = 0; taken < count && connection.read < events.length; taken++) {
      const index = connection.read++;
      const { type, data } = events[index] as { type: string; data: string };
      this.#receive(connection, { type, data, id: ownIds[index], channel: channels[index] });
    }
  }

  #receive(connection: Connection, { type, data, id, channel }: Received): void {
    const position = id === undefined ? null : parseCursor(id);
    if (position !== null) this.#position = id as string;
    if (type === "sse:checkpoint") {
      if (!connection.isOpen) this.#open(connection, position?.offset as number, JSON.parse(data));
      return;
    }
    if (type === "sse:gap") {
      const { from, to, channels } = JSON.parse(data);
      for (const name of channels) this.#followed.get(name)?.lost.push({ from, to });
      // A gap that nothing stands in for carries the position itself, at the opening too.
      if (position !== null && !connection.isOpen) this.#open(connection, position.offset, {});
      return;
    }
    expect(type, "a reset of a position that is right").toBe("n");
    const name = channel as string;
    expect([...connection.held, ...connection.joining]).toContain(name);
    const followed = this.#followed.get(name);
    if (position === null) this.#receiveValue(connection, name, data);
    else {
      expect(connection.isOpen, "an event before the checkpoint of the opening").toBe(true);
      expect(position.offset, "out of order").toBeGreaterThan(connection.last);
      expect(position.offset, "before its channel begins").toBeGreaterThan(connection.begins?.(name) as number);
      connection.last = position.offset;
      followed?.accept(position.offset, data);
    }
  }

  #receiveValue(connection: Connection, name: string, data: string): void {
    if (connection.held.includes(name)) this.#followed.get(name)?.keep(data);
    else {
      const values = connection.values.get(name) ?? new Map<string, string>();
      values.set(data.split(" ")[0] as string, data);
      connection.values.set(name, values);
    }
  }

  /** The joining channels are held from here on. */
  #open(
    connection: Connection,
    offset: number,
    { held = offset, joined = offset }: { held?: number; joined?: number },
  ) {
    connection.isOpen = true;
    connection.begins = (name) => (connection.held.includes(name) ? held : joined);
    for (const name of connection.held) {
      const followed = this.#followed.get(name);
      if (followed) followed.ahead = Math.max(followed.ahead, held);
    }
    for (const name of connection.joining) {
      if (!this.#joining.delete(name)) continue;
      this.#followed.set(name, new Followed(joined, connection.values.get(name) ?? new Map()));
    }
  }

  assertComplete(published: readonly Published[]): void {
    for (const [name, { joinedAt, received, lost, values }] of this.#followed) {
      const own = published.filter(({ channel }) => channel === name);
      const isLost = (offset: number) => lost.some(({ from, to }) => offset >= from && offset <= to);
      const owed = own.filter(({ offset, key }) => offset > joinedAt && key === undefined && !isLost(offset));
      const got = received.filter(({ offset, data }) => data.startsWith("- ") && !isLost(offset));
      expect(
        got.map(({ data }) => data),
        `the events of ${name}`,
      ).toEqual(owed.map(({ data }) => data));
      for (const { data, offset } of received) expect(own).toContainEqual(expect.objectContaining({ data, offset }));
      const newest = new Map(own.flatMap(({ key, data }) => (key === undefined ? [] : [[key, data] as const])));
      expect(Object.fromEntries(values), `the values of ${name}`).toEqual(Object.fromEntries(newest));
    }
  }
}

interface Received {
  readonly type: string;
  readonly data: string;
  readonly id: string | undefined;
  readonly channel: string | undefined;
}

interface Connection {
  readonly client: HubClient;
  readonly held: readonly string[];
  readonly joining: readonly string[];
  read: number;
  isOpen: boolean;
  /** The highest offset of this stream. */
  last: number;
  /** The values of joining channels. */
  readonly values: Map<string, Map<string, string>>;
  /** Everything up to there is in the state of a channel. */
  begins?: (name: string) => number;
}
