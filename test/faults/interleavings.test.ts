import { afterEach, describe, expect, test } from "vitest";
import { createHub, type Hub, type HubOptions, type SubscribeOptions } from "../../src/index.ts";
import type { CompleteLog } from "../../src/log/complete.ts";
import type { NewEntry, Position, Tail, TailBatch } from "../../src/log/log.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { HubClient } from "../support/hub.ts";
import { request, tick } from "../support/web.ts";

/** Where the way to the log is long: for questions, so that answers are newer than expected, or for answers, which are old. */
type Delay = "questions" | "answers";

/**
 * A log in which every question and every answer waits until the test releases it. The batches of the tail wait too: as
 * with a log on another machine, news and answers overtake each other.
 */
class SteppedLog implements CompleteLog {
  readonly capabilities: CompleteLog["capabilities"];
  readonly waiting: (() => void)[] = [];
  readonly #log: CompleteLog;
  readonly #delay: Delay;
  #batches: TailBatch[] = [];
  #deliver: (batch: TailBatch) => void = () => {};

  constructor(log: CompleteLog, delay: Delay) {
    this.capabilities = log.capabilities;
    this.#log = log;
    this.#delay = delay;
  }

  head: CompleteLog["head"] = (...args) => this.#step(() => this.#log.head(...args));
  witnesses: CompleteLog["witnesses"] = (...args) => this.#step(() => this.#log.witnesses(...args));
  locate: CompleteLog["locate"] = (...args) => this.#step(() => this.#log.locate(...args));
  read: CompleteLog["read"] = (...args) => this.#step(() => this.#log.read(...args));
  last: CompleteLog["last"] = (...args) => this.#step(() => this.#log.last(...args));
  latestByKey: CompleteLog["latestByKey"] = (...args) => this.#step(() => this.#log.latestByKey(...args));
  append: CompleteLog["append"] = (entries) => this.#log.append(entries);

  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#deliver = onEntries;
    return this.#log.tail(after, (batch) => this.#batches.push(batch), onError);
  }

  close(): Promise<void> {
    for (const goOn of this.waiting.splice(0)) goOn();
    return this.#log.close();
  }

  get hasNews(): boolean {
    return this.#batches.length > 0;
  }

  bringNews(): void {
    const batch = this.#batches.shift();
    if (batch !== undefined) this.#deliver(batch);
  }

  /** Lets everything continue until something is done. */
  async answering<T>(promise: Promise<T>): Promise<T> {
    for (await settle(); this.waiting.length > 0; await settle()) this.waiting.shift()?.();
    return promise;
  }

  async #step<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#delay === "questions") await this.#turn();
    const answer = await ask();
    if (this.#delay === "answers") await this.#turn();
    return answer;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

interface Scenario {
  delay?: Delay;
  log?: Parameters<typeof memoryLog>[0];
  hub?: HubOptions;
  subscribe?: Partial<SubscribeOptions>;
  /** Published before the client comes. */
  before: readonly NewEntry[];
  /** Published, one after the other, at any moment while it joins. */
  during: readonly NewEntry[];
  /** Of which of those before the client has the cursor; -1 for the position at the very beginning. */
  resumeFrom?: number | undefined;
}

type Move = "publish" | "news" | "step";

/**
 * Runs one order of moves: `choices` say which of the possible moves is made each time, or the first one. Returns how
 * many there were to choose from each time, and the events that the client received.
 */
async function run(scenario: Scenario, choices: readonly number[]) {
  const inner = memoryLog(scenario.log ?? {});
  const log = new SteppedLog(inner, scenario.delay ?? "answers");
  const hub = createHub({ log, ...scenario.hub });
  hubs.push(hub);
  const cursors = [await log.answering(hub.cursor())];
  for (const entry of scenario.before) cursors.push(await log.answering(publish(hub, entry)));
  while (log.hasNews) log.bringNews();

  const lastEventId = scenario.resumeFrom === undefined ? "" : (cursors[scenario.resumeFrom + 1] as string);
  const headers: Record<string, string> = lastEventId === "" ? {} : { "last-event-id": lastEventId };
  const options = { channels: ["a"], ...scenario.subscribe };
  let client: HubClient | undefined;
  const joining = hub.response(request({ headers }), options).then((response) => {
    client = new HubClient(response, hub, options, lastEventId);
  });
  const toPublish = [...scenario.during];
  const widths: number[] = [];
  await settle();
  for (;;) {
    const moves: Move[] = [];
    if (log.waiting.length > 0) moves.push("step");
    if (toPublish.length > 0) moves.push("publish");
    if (log.hasNews) moves.push("news");
    if (moves.length === 0) break;
    const move = moves[choices[widths.length] ?? 0] as Move;
    widths.push(moves.length);
    if (move === "publish") void publish(hub, toPublish.shift() as NewEntry);
    else if (move === "news") log.bringNews();
    else log.waiting.shift()?.();
    await settle();
  }
  await joining;
  const heard = await (client as HubClient).settle();
  return { widths, client: heard, hub };
}

const hubs: Hub[] = [];
async function closeAll(): Promise<void> {
  for (const hub of hubs.splice(0)) await hub.close();
}
afterEach(closeAll);

function publish(hub: Hub, { channel, type, data, key }: NewEntry): Promise<string> {
  if (type === "sse:end") return hub.channel(channel).end();
  return hub.channel(channel).dispatch(type, data, key === undefined ? {} : { key });
}

/** Lets everything happen that needs no answer of the log. Questions leave, and replays continue, at the end of a tick. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await tick();
}

/** Every order of moves, one after the other: the next one differs from the last at the latest possible move. */
async function everyOrder(
  scenario: Scenario,
  check: (outcome: Awaited<ReturnType<typeof run>>) => void,
): Promise<void> {
  for (const delay of ["questions", "answers"] as const) {
    let choices: number[] | null = [];
    while (choices !== null) {
      const outcome: Awaited<ReturnType<typeof run>> = await run({ ...scenario, delay }, choices);
      try {
        check(outcome);
      } catch (error) {
        throw new Error(`${delay} wait, order ${choices.join("")}: ${(error as Error).message}`, { cause: error });
      }
      await closeAll();
      choices = nextChoices(choices, outcome.widths);
    }
  }
}

function nextChoices(choices: readonly number[], widths: readonly number[]): number[] | null {
  const made = widths.map((_, index) => choices[index] ?? 0);
  const last = made.findLastIndex((choice, index) => choice + 1 < (widths[index] as number));
  return last === -1 ? null : [...made.slice(0, last), (made[last] as number) + 1];
}

const entry = (data: string | number, more: Partial<NewEntry> = {}): NewEntry => ({
  channel: "a",
  type: "n",
  data: String(data),
  ...more,
});
const other = (data: string | number): NewEntry => entry(data, { channel: "b" });

/** Delivered and declared are together what was published, in order, with nothing twice. The data are the offsets. */
function accountsFor(client: HubClient, published: readonly number[]): void {
  const gaps = client.control("gap") as { from: number; to: number }[];
  const declared = gaps.flatMap(({ from, to }) => published.filter((n) => n >= from && n <= to));
  const delivered = client.data.map(Number);
  expect(delivered).toEqual([...delivered].sort((a, b) => a - b));
  expect([...delivered, ...declared].sort((a, b) => a - b)).toEqual(published);
}

const own = ({ client }: { client: HubClient }): number[] => client.data.map(Number);

describe("in every order of publishing, news and answers", { timeout: 60_000 }, () => {
  test.each([
    ["the ring", {}],
    ["the log", { ring: { maxEvents: 1 } }],
  ])("a client that reconnects gets everything after its cursor once, from %s", async (_, hub) => {
    const before = [entry(1), entry(2), other(0), entry(3)];
    const scenario: Scenario = { before, during: [entry(4), entry(5)], resumeFrom: 0, hub };
    await everyOrder(scenario, (outcome) => expect(own(outcome)).toEqual([2, 3, 4, 5]));
  });

  test("a new client gets everything published after it connected, and nothing from before", async () => {
    const scenario: Scenario = { before: [entry(1)], during: [entry(2), other(0), entry(3)] };
    await everyOrder(scenario, (outcome) => expect(own(outcome)).toEqual([2, 3]));
  });

  test("a new client with a rewind gets the end of the channel without a hole", async () => {
    const scenario: Scenario = { before: [entry(1), entry(2)], during: [entry(3), entry(4)], subscribe: { rewind: 1 } };
    await everyOrder(scenario, (outcome) =>
      expect([
        [2, 3, 4],
        [3, 4],
      ]).toContainEqual(own(outcome)),
    );
  });

  test("a log that trims during that leaves out nothing undeclared", async () => {
    const log = { maxEvents: 1 };
    const hub = { ring: { maxEvents: 1 } };
    const scenario: Scenario = {
      log,
      hub,
      before: [entry(1), entry(2)],
      during: [entry(3), entry(4)],
      resumeFrom: 0,
    };
    await everyOrder(scenario, (outcome) => accountsFor(outcome.client, [2, 3, 4]));
  });

  test("a client whose replay is limited gets every omission declared", async () => {
    const hub = { limits: { maxReplay: 1 } };
    const scenario: Scenario = {
      hub,
      before: [entry(1), entry(2), entry(3)],
      during: [entry(4), entry(5)],
      resumeFrom: 0,
    };
    await everyOrder(scenario, (outcome) => accountsFor(outcome.client, [2, 3, 4, 5]));
  });

  test.each([
    ["a new client", undefined],
    ["a client that comes back", 0],
  ])("of a channel with keys %s ends with the newest", async (_, resumeFrom) => {
    const value = (n: number) => entry(n, { key: "k" });
    const hub = { ring: { maxEvents: 1 } };
    const scenario: Scenario = { hub, before: [value(1), value(2)], during: [value(3), value(4)], resumeFrom };
    await everyOrder(scenario, (outcome) => {
      expect(own(outcome).at(-1)).toBe(4);
      expect(own(outcome)).toEqual([...new Set(own(outcome))].sort());
    });
  });

  test.each([
    ["a new client", undefined],
    ["a client that comes back", 0],
  ])("the end of a channel is sent once to %s, after everything else", async (_, resumeFrom) => {
    const during = [entry(2), entry("", { type: "sse:end" }), other(0)];
    await everyOrder({ before: [entry(1)], during, resumeFrom }, ({ client }) => {
      expect([client.types, client.ended]).toEqual([["n", "sse:end"], true]);
    });
  });
});
