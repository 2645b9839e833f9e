import { expect, test } from "vitest";
import type { LogEntry } from "../../../src/log/index.ts";
import { MemoryChannel } from "../../../src/logs/memory/channel.ts";
import { ChannelDirectory, note } from "../../../src/logs/memory/directory.ts";
import { EntryList } from "../../../src/logs/memory/entry-list.ts";
import { MergedEntries } from "../../../src/logs/memory/merge.ts";
import fc from "../../support/properties.ts";

const entryAt = (offset: number): LogEntry => {
  return { offset, witness: 1, previousWitness: 1, time: 0, channel: "a", type: "t", data: "" };
};

function offsetsAfter(list: EntryList, after: number, upTo = Number.POSITIVE_INFINITY): number[] {
  const found: number[] = [];
  const cursor = list.after(after).upTo(upTo);
  for (; cursor.current !== undefined; cursor.advance()) found.push(cursor.current.offset);
  return found;
}

/** Numbers that look random and are the same in each run. */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

test("a list of thousands of entries, most of them removed from anywhere", () => {
  const list = new EntryList();
  const expected = new Set<number>();
  const random = numbers(7);
  for (let offset = 1; offset <= 6_000; offset++) {
    list.push(entryAt(offset));
    expected.add(offset);
    // Recent ones, the oldest, and some that are not there.
    const one = random.next().value as number;
    const target = one % 3 === 0 ? [...expected][0] : (one % offset) + 1;
    if (one % 4 !== 0 && target !== undefined) {
      list.delete(target);
      expected.delete(target);
    }
    if (offset % 500 !== 0) continue;
    const all = [...expected];
    const [from, to] = [one % offset, offset - (one % 400)];
    expect(offsetsAfter(list, 0)).toEqual(all);
    expect(offsetsAfter(list, from, to)).toEqual(all.filter((each) => each > from && each <= to));
    expect(list.count(from, to)).toBe(all.filter((each) => each > from && each <= to).length);
    expect([list.length, list.last?.offset]).toEqual([all.length, all.at(-1)]);
    expect(offsetsAfter(list.copy(), 0)).toEqual(all);
    const newest: number[] = [];
    list.visitBackwards(({ offset: each }) => newest.push(each) < 600);
    expect(newest).toEqual(all.slice(-600).reverse());
  }
});

test("lists are merged in the order of their offsets", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 200 }), fc.nat({ max: 100 }), (owners, after) => {
      const lists = Array.from({ length: 10 }, () => new EntryList());
      for (const [index, owner] of owners.entries()) lists[owner]?.push(entryAt(index + 1));
      const merged = new MergedEntries(lists.map((list) => list.after(after)));
      const found: number[] = [];
      for (; merged.next !== undefined; merged.advance()) found.push(merged.next.offset);
      expect(found).toEqual(owners.map((_, index) => index + 1).filter((offset) => offset > after));
    }),
  );
});

test("a directory of thousands of names visits those with a prefix, in order, and passes over the other groups", () => {
  const directory = new ChannelDirectory();
  const channels = new Map<string, MemoryChannel>();
  const random = numbers(3);
  for (let i = 0; i < 8_000; i++) {
    const one = random.next().value as number;
    const name = `${"abc🎉"[one % 3] ?? "a"}/${one % 5_000}${one % 7 === 0 ? "\u{10ffff}" : ""}`;
    const known = channels.get(name);
    if (known !== undefined && one % 2 === 0) {
      directory.delete(known);
      channels.delete(name);
    } else if (known === undefined) {
      const channel = new MemoryChannel(name, 0);
      channel.last = i;
      channels.set(name, channel);
      directory.add(channel);
      note(channel.group as NonNullable<typeof channel.group>, channel);
    }
  }
  const names = [...channels.keys()].sort();
  for (const prefix of ["", "a", "a/", "b/1", "b/12", "c/49\u{10ffff}", "c/4999", "🎉", "z", "/"]) {
    const found: string[] = [];
    directory.visit(
      prefix,
      () => true,
      ({ name }) => found.push(name) > 0,
    );
    expect(found).toEqual(names.filter((name) => name.startsWith(prefix)));
    // A group that is passed over has nothing that a group before it did not say.
    const recent: string[] = [];
    directory.visit(
      prefix,
      ({ last }) => last > 7_000,
      ({ name, last }) => last <= 7_000 || recent.push(name) > 0,
    );
    expect(recent).toEqual(found.filter((name) => (channels.get(name)?.last ?? 0) > 7_000));
    let [visited, whole] = [0, 0];
    directory.visit(
      prefix,
      () => true,
      () => ++visited > 0,
      (group) => {
        whole += group.channels.length;
      },
    );
    expect(visited + whole).toBe(found.length);
    // Only at the two ends of a prefix channels are visited one by one.
    expect(visited).toBeLessThanOrEqual(1_024);
  }
});
