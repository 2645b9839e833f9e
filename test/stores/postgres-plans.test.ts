/** The plans that a connection keeps from the time when the tables were empty. */
import { expect, test, vi } from "vitest";
import { at, entry, range, read, select, values } from "../../src/testing/log/ask.ts";
import { postgresBench } from "../support/stores/postgres-bench.ts";

test("no function reads the whole table of entries or of values, whatever was known of it when its plan was made", async () => {
  // Nothing else makes new plans.
  await using bench = await postgresBench({ autovacuum: "off" });
  const schema = bench.newSchema();
  // One connection, so that each statement has been planned for the last time after some repetitions.
  const [log, other] = range(1, 2).map(() => bench.open({ pool: bench.pool(undefined, { max: 1 }), schema }));
  if (log === undefined || other === undefined) throw new Error("There are two logs");
  const selections = [select("c1", "c2"), select("c*"), select("none")];
  let arrived = 0;
  log.tail(
    await at(log, 0),
    ({ entries }) => {
      arrived += entries.length;
    },
    () => {},
  );
  const useAll = async () => {
    await log.append([entry("c1")]);
    await log.append([entry("c1", "value", { key: "k" }), entry("c2")]);
    await log.append([entry("c1", "value", { key: "k", idempotencyKey: String(Math.random()) })]);
    await log.clear?.("cleared");
    const { top } = await log.head();
    for (const selection of selections) {
      for (const conflate of [true, false]) await read(log, top - 5, 10, selection, { conflate });
      await log.last(2, selection);
      await values(log, selection);
      await log.locate([{ cursor: await at(log, top - 1), selection }]);
    }
    const before = arrived;
    await other.append([entry("c2")]);
    await vi.waitFor(() => expect(arrived).toBeGreaterThan(before), { interval: 5 });
  };
  for (const _ of range(1, 12)) await useAll();
  const filled = 4_000;
  for (const _ of range(1, filled / 1_000)) {
    await other.append(range(1, 1_000).map((i) => entry(`d${i}`)));
    await other.append(range(1, 1_000).map(() => entry("values", "value", { key: String(Math.random()) })));
  }
  for (const _ of range(1, 12)) await useAll();
  // A connection counts what it has read at its end, at the latest.
  await bench.closeClients();
  const counted = `SELECT seq_tup_read::integer AS read FROM pg_stat_user_tables WHERE schemaname = '${schema}' AND relname IN ('entry', 'value')`;
  const counts = ((await bench.run(counted)) as { read: number }[]).map(({ read: count }) => count);
  expect(counts).toHaveLength(2);
  expect(Math.max(...counts)).toBeLessThan(filled);
});
