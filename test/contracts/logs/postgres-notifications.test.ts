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
