import { afterEach, expect, test, vi } from "vitest";
import {
  followTail,
  type Head,
  type LogEntry,
  type Position,
  TailFanout,
  type TailPage,
  type TailSource,
} from "../../../src/log/index.ts";
import fc from "../../support/properties.ts";
import { tick } from "../../support/web.ts";

/** A store whose newest entries can be cut off and written again, and whose oldest can be trimmed. */
class Store {
  epoch = "e1";
  entries: LogEntry[] = [];
  floor = 0;
  pageEntries = 3;
  reads = 0;
  /** The promise that a read waits for, or the error that it fails with. */
  before: () => unknown = () => {};
  #witness = 1;
  #origin = this.#witness++;

  get top(): number {
    return this.entries.length;
  }

  append(count: number): LogEntry[] {
    const from = this.top;
    for (let i = 0; i < count; i++) {
      const [offset, previousWitness] = [this.top + 1, this.witnessAt(this.top)];
      const data = `${this.epoch} ${offset} ${this.#witness}`;
      this.entries.push({ offset, witness: this.#witness++, previousWitness, time: 0, channel: "a", type: "t", data });
    }
    return this.entries.slice(from);
  }

  lose(count: number): void {
    // The newest entry is always retained.
    this.entries.length = Math.max(Math.min(this.top, this.floor === 0 ? 0 : this.floor + 1), this.top - count);
  }

  renew(): void {
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
    this.entries = [];
    this.floor = 0;
    this.#origin = this.#witness++;
  }

  trim(count: number): void {
    this.floor = Math.max(this.floor, Math.min(this.top - 1, this.floor + count));
  }

  witnessAt(offset: number): number {
    return this.entries[offset - 1]?.witness ?? this.#origin;
  }

  position(offset = this.top): Position {
    return { epoch: this.epoch, offset, witness: this.witnessAt(offset) };
  }

  get head(): Head {
    const { epoch, top, floor } = this;
    return { epoch, top, witness: this.witnessAt(top), floor: { offset: floor, witness: this.witnessAt(floor) } };
  }

  async read(after: number): Promise<TailPage> {
    this.reads++;
    await this.before();
    const from = Math.max(after, this.floor);
    return { head: this.head, entries: this.entries.slice(from, from + this.pageEntries) };
  }
}

const fanouts: TailFanout[] = [];
afterEach(() => {
  for (const fanout of fanouts.splice(0)) fanout.close();
  vi.useRealTimers();
});

function open(store: TailSource, options: ConstructorParameters<typeof TailFanout>[1] = { poll: false }) {
  const fanout = new TailFanout(store, options);
  fanouts.push(fanout);
  return fanout;
}

function follow(fanout: TailFanout, after: Position) {
  const delivered: LogEntry[] = [];
  const errors: unknown[] = [];
  const epochs: string[] = [];
  const recorder = { delivered, errors, epochs, onBatch: () => {}, close: () => tail.close() };
  const tail = fanout.add(
    after,
    ({ epoch, entries }) => {
      delivered.push(...entries);
      epochs.push(epoch);
      recorder.onBatch();
    },
    (error) => errors.push(error),
  );
  return recorder;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await tick();
}

const offsets = ({ delivered }: { delivered: readonly LogEntry[] }) => delivered.map(({ offset }) => offset);

test("entries that this process appends are delivered at once, without a read", async () => {
  const store = new Store();
  const fanout = open(store);
  const tail = follow(fanout, store.position());
  await settle();
  const { reads } = store;
  fanout.offer(store.epoch, store.append(2));
  expect(offsets(tail)).toEqual([1, 2]);
  fanout.offer(store.epoch, store.append(1));
  expect([offsets(tail), store.reads]).toEqual([[1, 2, 3], reads]);
});

test("a wake takes one read for the entries up to the head, and another one only for each further page", async () => {
  const store = new Store();
  const fanout = open(store);
  const tail = follow(fanout, store.position());
  await settle();
  const { reads } = store;
  const readsFor = async (count: number) => {
    const before = store.reads;
    store.append(count);
    fanout.wake();
    await settle();
    return store.reads - before;
  };
  expect([reads, await readsFor(1), await readsFor(store.pageEntries), await readsFor(store.pageEntries + 1)]).toEqual([
    1, 1, 1, 2,
  ]);
  expect(offsets(tail)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test("entries that came in between are read, then the offered ones", async () => {
  const store = new Store();
  const fanout = open(store);
  const tail = follow(fanout, store.position());
  await settle();
  store.append(4);
  fanout.offer(store.epoch, store.append(1));
  expect(offsets(tail)).toEqual([]);
  await settle();
  expect(offsets(tail)).toEqual([1, 2, 3, 4, 5]);
});

test("entries offered while a read is under way are delivered once", async () => {
  const store = new Store();
  store.append(2);
  const gate = Promise.withResolvers<void>();
  store.before = () => gate.promise;
  const fanout = open(store);
  const tails = [follow(fanout, store.position(0)), follow(fanout, store.position())];
  await settle();
  fanout.offer(store.epoch, store.append(2));
  // One of them is at the head: what is offered continues it.
  expect(tails.map(offsets)).toEqual([[], [3, 4]]);
  gate.resolve();
  await settle();
  expect(tails.map(offsets)).toEqual([
    [1, 2, 3, 4],
    [3, 4],
  ]);
});

test("a read whose head was offered while it was under way is not repeated", async () => {
  const store = new Store();
  const gates: PromiseWithResolvers<void>[] = [];
  const read = async (after: number) => {
    const page = await store.read(after);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    return page;
  };
  const fanout = open({ read });
  const tail = follow(fanout, store.position());
  const next = async () => {
    await settle();
    gates.shift()?.resolve();
    await settle();
  };
  await next();
  fanout.wake();
  await settle();
  fanout.offer(store.epoch, store.append(1));
  await next();
  expect([offsets(tail), gates.length]).toEqual([[1], 0]);
  // The head is that of entries that are still on their way to the tail.
  const late = store.append(1);
  fanout.wake();
  await settle();
  fanout.offer(store.epoch, late);
  fanout.offer(store.epoch, store.append(1));
  await next();
  expect([offsets(tail), gates.length, store.reads]).toEqual([[1, 2, 3], 0, 3]);
  // Not all of them were offered: the rest is read.
  const [offered, missed] = store.append(2);
  fanout.wake();
  await settle();
  fanout.offer(store.epoch, [offered as LogEntry]);
  await next();
  expect(gates).toHaveLength(1);
  await next();
  expect(tail.delivered.at(-1)).toBe(missed);
  // The store has lost the offered entry, and stored another one there.
  const lost = store.append(1);
  store.lose(1);
  store.append(1);
  fanout.wake();
  await settle();
  fanout.offer(store.epoch, lost);
  while (tail.delivered.at(-1) !== store.entries.at(-1)) await next();
});

test("a handler that appends is not called within itself, and gets its entries next", async () => {
  const store = new Store();
  const fanout = open(store);
  const tail = follow(fanout, store.position());
  await settle();
  let depth = 0;
  tail.onBatch = () => {
    expect(++depth).toBe(1);
    if (store.top < 5) fanout.offer(store.epoch, store.append(1));
    depth--;
  };
  fanout.offer(store.epoch, store.append(1));
  expect([offsets(tail), tail.errors]).toEqual([[1, 2, 3, 4, 5], []]);
});

test("an error of a handler is reported to its own tail, and nothing is skipped", async () => {
  const store = new Store();
  const fanout = open(store);
  const [failing, fine] = [follow(fanout, store.position()), follow(fanout, store.position())];
  failing.onBatch = () => {
    throw new Error("mine");
  };
  await settle();
  for (const _ of [1, 2]) fanout.offer(store.epoch, store.append(1));
  expect([failing.errors.map(String), fine.errors]).toEqual([["Error: mine", "Error: mine"], []]);
  expect([offsets(failing), offsets(fine)]).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

test("a store that fails is reported, and read again after a while", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const store = new Store();
  store.before = () => {
    throw new Error("unreachable");
  };
  const fanout = open(store);
  const tail = follow(fanout, store.position());
  store.append(2);
  await settle();
  for (let i = 0; i < 10; i++) fanout.wake();
  await settle();
  expect([tail.errors.map(String), store.reads]).toEqual([["Error: unreachable"], 1]);
  store.before = () => {};
  await vi.advanceTimersByTimeAsync(500);
  await settle();
  expect(offsets(tail)).toEqual([1, 2]);
});

test("a closed tail is silent, also in the middle of a batch and of a read", async () => {
  const store = new Store();
  const fanout = open(store);
  const [closing, reading] = [follow(fanout, store.position()), follow(fanout, store.position())];
  closing.onBatch = () => closing.close();
  await settle();
  const gate = Promise.withResolvers<void>();
  store.before = () => gate.promise;
  store.append(1);
  fanout.wake();
  await settle();
  reading.close();
  gate.resolve();
  await settle();
  fanout.offer(store.epoch, store.append(1));
  expect([offsets(closing), offsets(reading), fanout.size]).toEqual([[1], [], 0]);
});

test("a hole that a second read does not fill is reported, and does not stop the tail", async () => {
  const store = new Store();
  const fanout = open(store);
  store.append(6);
  const complete = store.read.bind(store);
  let missing = 1;
  store.read = async (after) => {
    const page = await complete(after);
    return missing-- > 0 ? { ...page, entries: page.entries.slice(1) } : page;
  };
  const tail = follow(fanout, store.position(0));
  await settle();
  expect([offsets(tail), tail.errors]).toEqual([[1, 2, 3, 4, 5, 6], []]);
  missing = 2;
  const other = follow(fanout, store.position(0));
  await settle();
  expect(offsets(other)).toEqual([2, 3, 4, 5, 6]);
  expect(other.errors).toMatchObject([{ code: "ERR_SSE_LOG", message: /does not return the entry at offset 1/ }]);
});

test("a change is noticed by polling, though nothing is appended by this process", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const store = new Store();
  store.append(5);
  const fanout = open(store, {});
  const tail = follow(fanout, store.position());
  await settle();
  store.lose(3);
  await vi.advanceTimersByTimeAsync(1_000);
  await settle();
  // The newest entry that is left, which is lower than what was delivered.
  expect(offsets(tail)).toEqual([2]);
  tail.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a watch is started with each tail, and stopped once, with the last", () => {
  const store = new Store();
  const calls: string[] = [];
  const fanout = open(store, {
    poll: false,
    onTail: () => void calls.push("start"),
    onIdle: () => void calls.push("stop"),
  });
  const [first, second] = [follow(fanout, store.position()), follow(fanout, store.position())];
  first.close();
  first.close();
  expect(calls).toEqual(["start", "start"]);
  second.close();
  second.close();
  expect(calls).toEqual(["start", "start", "stop"]);
  follow(fanout, store.position());
  fanout.close();
  expect(calls).toEqual(["start", "start", "stop", "start", "stop"]);
});

test("whatever happens to the store, a tail delivers its history, and never a later entry for a continuation", async () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 5 }), offered: fc.boolean() }),
    fc.record({ do: fc.constantFrom("lose" as const, "trim" as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ do: fc.constantFrom("wake" as const, "settle" as const, "renew" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), fc.nat({ max: 6 }), async (actions, begin) => {
      const store = new Store();
      store.append(6);
      const fanout = open(store);
      const start = store.position(begin);
      const tail = follow(fanout, start);
      /** Every entry that ever was, by witness. */
      const all = new Map(store.entries.map((entry) => [entry.witness, entry]));
      const floors = new Map<string, number>();
      for (const step of actions) {
        if (step.do === "append") {
          const entries = store.append(step.count);
          for (const entry of entries) all.set(entry.witness, entry);
          if (step.offered) fanout.offer(store.epoch, entries);
        } else if (step.do === "lose") store.lose(step.count);
        else if (step.do === "trim") {
          store.trim(step.count);
          floors.set(store.epoch, Math.max(store.floor, floors.get(store.epoch) ?? 0));
        } else if (step.do === "renew") store.renew();
        else if (step.do === "wake") fanout.wake();
        else await settle();
      }
      fanout.wake();
      await settle();
      fanout.wake();
      await settle();
      const { delivered } = tail;
      expect(tail.errors).toEqual([]);
      // It ends where the store ends.
      const newest = store.entries.at(-1);
      if (newest !== undefined && newest.witness !== start.witness) expect(delivered.at(-1)).toBe(newest);
      let last: { offset: number; witness: number; epoch: string } = start;
      for (const entry of delivered) {
        const epoch = entry.data.split(" ")[0] as string;
        const follows = entry.offset === last.offset + 1 && entry.previousWitness === last.witness;
        const isBreak = epoch !== last.epoch || entry.offset <= last.offset;
        // A later entry that does not follow: those in between were trimmed.
        const isHole = entry.offset - 1 <= (floors.get(epoch) ?? 0);
        expect([follows, isBreak, isHole]).toContain(true);
        last = { offset: entry.offset, witness: entry.witness, epoch };
      }
      fanout.close();
    }),
    { numRuns: 300 },
  );
});

test("the decision: what continues is delivered, what does not leads back to the same offset or the newest", () => {
  const store = new Store();
  store.append(8);
  store.trim(3);
  const page = (after: number): TailPage => ({ head: store.head, entries: store.entries.slice(Math.max(after, 3)) });
  const decide = (offset: number, change: Partial<Position> = {}) =>
    followTail({ ...store.position(offset), ...change }, page(offset));
  for (const offset of [3, 4, 8]) expect(decide(offset)).toEqual({ kind: "deliver" });
  // Trimmed: the next entry's offset shows it.
  expect(decide(1)).toEqual({ kind: "deliver" });
  expect(decide(6, { witness: 999 })).toEqual({ kind: "goBack", to: { epoch: "e1", offset: 5, witness: null } });
  expect(decide(8, { witness: 999 })).toEqual({ kind: "goBack", to: { epoch: "e1", offset: 7, witness: null } });
  expect(decide(8, { offset: 12 })).toEqual({ kind: "goBack", to: { epoch: "e1", offset: 7, witness: null } });
  expect(decide(6, { epoch: "e0" })).toEqual({ kind: "goBack", to: { epoch: "e1", ...store.head.floor } });
  expect(followTail(store.position(5), { ...page(5), entries: store.entries.slice(6) })).toEqual({ kind: "missing" });
});

test("a store that answers at once is read before retention removes what a tail has not got", async () => {
  const store = new Store();
  store.append(2);
  const fanout = open({
    read: (after) => ({ head: store.head, entries: store.entries.slice(Math.max(after, store.floor)) }),
  });
  const tail = follow(fanout, store.position(0));
  // Not even begun, and everything is removed in the same turn.
  fanout.offer(store.epoch, store.append(2));
  store.trim(2);
  expect(offsets(tail)).toEqual([1, 2, 3, 4]);
  await settle();
  store.lose(1);
  fanout.offer(store.epoch, store.append(3));
  // Written over the one that was lost, and more: it begins in its place.
  expect(offsets(tail).slice(4)).toEqual([4, 5, 6]);
});
