/** Faults of the machine on which the server runs: a full disk, and a clock that is set back. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogError } from "../../src/base/errors.ts";
import { entry, range, read } from "../../src/testing/log/ask.ts";
import { joined, openHub } from "../support/hub.ts";
import { runQuietly } from "../support/run.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";
import { postgresUser } from "../support/stores/postgres-server.ts";
import { commandOf } from "../support/stores/store-server.ts";

/** A segment of the write-ahead log has its full size from the start, so it still fits. A page of a table is half over the end. */
const maxFileBytes = 16 * 1024 ** 2 + 4_096;

let bench: PostgresBench;

beforeAll(async () => {
  bench = await postgresBench({}, maxFileBytes);
});
afterAll(() => bench[Symbol.asyncDispose]());

test("a full disk rejects publishers, keeps what was accepted, and is over when there is room again", async () => {
  const log = bench.open({ pool: bench.pool() });
  const { hub } = openHub({ log, limits: { eventSize: "4mb" } });
  const client = await joined(hub, "a");
  // Random, since the server compresses.
  const large = () => randomBytes(750_000).toString("base64");
  const accepted: string[] = [];
  let failure: unknown;
  while (failure === undefined && accepted.length < 40) {
    const data = large();
    await hub
      .channel("a")
      .dispatch("n", data)
      .then(() => accepted.push(data))
      .catch((error: unknown) => (failure = error));
  }
  expect(failure).toBeInstanceOf(LogError);
  expect(failure).toMatchObject({ code: "ERR_SSE_LOG", stored: false });
  expect(accepted.length).toBeGreaterThan(3);
  await client.until(() => client.data.length === accepted.length);
  expect((await log.head()).top).toBe(accepted.length);
  await liftLimit();
  const more = large();
  await hub.channel("a").dispatch("n", more);
  accepted.push(more);
  await client.until(() => client.data.length === accepted.length);
  expect(client.data.every((data, index) => data === accepted[index])).toBe(true);
  expect([client.ended, client.control("gap"), client.control("reset")]).toEqual([false, [], []]);
  expect((await log.head()).top).toBe(accepted.length);
});

/** Of all processes of the server. */
async function liftLimit(): Promise<void> {
  const rows = (await bench.run(
    "SELECT pid FROM pg_stat_activity UNION SELECT (regexp_split_to_array(pg_read_file('postmaster.pid'), E'\\n'))[1]::integer",
  )) as { pid: number }[];
  for (const { pid } of rows) {
    // As the user of the server: without further privileges, root may not change the limits of others.
    const command = ["prlimit", "--pid", `${pid}`, "--fsize=unlimited"];
    const [program = "", ...args] = commandOf({ unprivileged: postgresUser }, command);
    // A process may have ended by now.
    await runQuietly(program, args).catch(() => {});
  }
}

test("a clock that is set back: events keep their order, ages do not decrease, and duplicates are recognized", async () => {
  const schema = bench.newSchema();
  const log = bench.open({ pool: bench.pool(), schema, maxAge: "1h" });
  const { hub } = openHub({ log });
  const client = await joined(hub, "a");
  const channel = hub.channel("a");
  for (const i of range(1, 3)) await channel.dispatch("n", `${i}`, { idempotencyKey: `key ${i}` });
  await setBack(schema, "2 hours");
  // Alone, with others, and within the time in which the key is known.
  await channel.dispatch("n", "4");
  await Promise.all(range(5, 6).map((i) => channel.dispatch("n", `${i}`)));
  await channel.dispatch("n", "3 again", { idempotencyKey: "key 3" });
  await channel.dispatch("n", "7");
  await client.until(() => client.data.length === 7);
  expect(client.data).toEqual(range(1, 7).map(String));
  const { entries } = await read(log, 0, 10);
  expect(entries.map(({ data }) => data)).toEqual(range(1, 7).map(String));
  const rows = (await bench.run(`SELECT time, log_time FROM ${schema}.entry ORDER BY log_offset`)) as {
    time: string;
    log_time: string;
  }[];
  const ages = rows.map((row) => Number(row.log_time));
  expect(ages).toEqual(ages.toSorted((a, b) => a - b));
  // The time of an event is that of the clock.
  expect(Number(rows[3]?.time)).toBeLessThan(Number(rows[2]?.time));
  const late = bench.open({ pool: bench.pool(), schema, maxAge: "1h" });
  expect((await late.append([entry("b", "8")]))[0]?.offset).toBe(8);
});

/** Every time of the log comes from this function, so it is the clock of the server for it. */
async function setBack(schema: string, by: string): Promise<void> {
  await bench.run(`
    CREATE OR REPLACE FUNCTION ${schema}.clock() RETURNS bigint LANGUAGE sql AS $$
      SELECT floor(extract(epoch FROM clock_timestamp() - interval '${by}') * 1000)::bigint
    $$`);
}
