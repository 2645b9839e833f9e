import { expect, onTestFinished, test, vi } from "vitest";
import type { PGliteLike } from "../../../src/logs/postgres/connection.ts";
import { postgresLog } from "../../../src/logs/postgres/index.ts";
import { at, entry, range } from "../../../src/testing/log/ask.ts";
import { newSchema, pglite } from "../../support/pglite.ts";

/** A log whose statements are counted. */
async function countedLog(schema: string) {
  const database = await pglite();
  const counts = { next: 0 };
  const pool: PGliteLike = {
    query(text, values) {
      if (text.includes(".next(")) counts.next++;
      return database.query(text, values);
    },
    exec: (text) => database.exec(text),
    listen: (channel, onNotify) => database.listen(channel, onNotify),
    transaction() {},
  };
  const log = postgresLog({ pool, schema });
  onTestFinished(() => log.close());
  return { log, counts };
}

test("a process reads for the entries of others, and not for its own, which it has from the answers", async () => {
  const schema = newSchema();
  const [{ log, counts }, { log: other }] = [await countedLog(schema), await countedLog(schema)];
  const arrived: string[] = [];
  log.tail(
    await at(log, 0),
    ({ entries }) => arrived.push(...entries.map(({ data }) => data)),
    () => {},
  );
  const readsFor = async (publisher: typeof log, count: number) => {
    const before = counts.next;
    for (const i of range(1, count)) {
      await publisher.append([entry("a", `${i}`)]);
      if (publisher === other) await vi.waitFor(() => expect(arrived.at(-1)).toBe(`${i}`), { interval: 2 });
    }
    // It comes after the notifications of the others.
    await other.append([entry("a", "end")]);
    await vi.waitFor(() => expect(arrived.at(-1)).toBe("end"));
    return counts.next - before;
  };
  // The first one finds out whether notifications arrive.
  await readsFor(other, 1);
  // One for the end, and some that are due by the clock.
  expect(await readsFor(log, 30)).toBeLessThan(10);
  expect(await readsFor(other, 30)).toBeGreaterThanOrEqual(30);
  expect(arrived.filter((data) => data === "30")).toHaveLength(2);
});

test("entries that are stored as lists keep every text as it is, and those that have no sender have none", async () => {
  const schema = newSchema();
  const { log } = await countedLog(schema);
  // Marks of the log itself, quotes and separators of arrays, and halves of surrogate pairs next to each other.
  const texts = [
    "",
    "\u0001s",
    "\u0001n",
    "\u0001a\u0001",
    "nul \0\0",
    '{"a\\b":NULL,}',
    "NULL",
    "\ud83c",
    "\udf89",
    "",
    "🎉",
  ];
  await log.append([entry("a")]);
  const entries = texts.flatMap((text, i) => [
    { channel: `c${text}`, type: `t${i}`, data: text, sender: text },
    { channel: "none", type: "t", data: text },
  ]);
  const placed = await Promise.all(entries.map((one) => log.append([one])));
  expect(placed.flat().map(({ offset }) => offset)).toEqual(range(2, entries.length + 1));
  const page = await log.read(1, { limit: 100, maxBytes: 100_000, conflate: false });
  const stored = page.entries.map(({ channel, type, data, sender }) => ({ channel, type, data, sender }));
  const formed = (text: string) => text.toWellFormed();
  expect(stored).toEqual(
    entries.map(({ channel, type, data, sender }) => ({
      channel: formed(channel),
      type,
      data: formed(data),
      sender: sender === undefined ? undefined : formed(sender),
    })),
  );
  // Positions are verified by these, and totals decide what is trimmed.
  const witnesses = await log.witnesses(range(1, entries.length + 1));
  expect(page.entries.map(({ previousWitness }) => previousWitness)).toEqual(witnesses.slice(0, -1));
  const found = await (await pglite()).query(
    `SELECT count(*)::integer AS n FROM (
       SELECT total_weight - weight - lag(total_weight, 1, 0::bigint) OVER (ORDER BY log_offset) AS off FROM "${schema}".entry
     ) AS e WHERE off <> 0`,
  );
  expect(found.rows).toEqual([{ n: 0 }]);
});
