import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LogEntry, TailBatch } from "../../src/log/log.ts";
import { weightOf } from "../../src/log/retention.ts";
import { file, open, openLog } from "../support/sqlite.ts";

const rounds = 20;
const publisher = join(import.meta.dirname, "fixtures/publisher.ts");

test(`entries that SQLite acknowledged to two publishers survive ${rounds} times kill -9, and a tail in another process misses nothing`, async () => {
  const path = file();
  const log = openLog({ path });
  const { epoch, witness } = await log.head();
  const seen: LogEntry[] = [];
  let onBatch = () => {};
  const failures: unknown[] = [];
  const tail = log.tail(
    { epoch, offset: 0, witness },
    (batch: TailBatch) => {
      seen.push(...batch.entries);
      onBatch();
    },
    (error) => failures.push(error),
  );

  const acknowledged = new Map<number, string>();
  for (let round = 1; round <= rounds; round++) {
    const names = [`${round} one`, `${round} two`];
    const lines = await Promise.all(
      names.map((name, i) => publishAndKill(path, name, 5 + ((round * 37 + i * 11) % 60))),
    );
    for (const line of lines.flat()) {
      const [offset, ...rest] = line.split(" ");
      acknowledged.set(Number(offset), rest.join(" "));
    }
  }
  expect(acknowledged.size).toBeGreaterThan(rounds * 5);

  // As a new process would find it. Superseded entries are left out of pages: the table has them all.
  const again = openLog({ path });
  const head = await again.head();
  expect(head.epoch).toBe(epoch);
  const stored = open(path).prepare("SELECT offset, witness, data FROM sse_entry ORDER BY offset").all();
  expect(stored.map(({ offset }) => offset)).toEqual(Array.from({ length: head.top }, (_, i) => i + 1));
  const lost = [...acknowledged].filter(([offset, text]) => {
    const row = stored[offset - 1];
    return `${row?.witness} ${row?.data}` !== text;
  });
  expect(lost).toEqual([]);

  while (seen.length < head.top) {
    await new Promise<void>((resolve) => {
      onBatch = resolve;
    });
  }
  tail.close();
  expect(seen.map(({ offset }) => offset)).toEqual(stored.map(({ offset }) => offset));
  expect(seen.map(({ data }) => data)).toEqual(stored.map(({ data }) => data));
  expect(failures).toEqual([]);
  expect(open(path).prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  const weights = open(path).prepare("SELECT max(total_weight) AS weight FROM sse_entry").get();
  expect(weights?.weight).toBe(seen.reduce((sum, entry) => sum + weightOf(entry), 0));
});

test("several processes that make the file at the same time make one log", async () => {
  const path = file();
  const names = ["one", "two", "three", "four"];
  const lines = await Promise.all(names.map((name) => publishAndKill(path, name, 10)));
  const log = openLog({ path });
  const { top } = await log.head();
  const offsets = open(path).prepare("SELECT offset FROM sse_entry ORDER BY offset").all();
  expect(offsets.map(({ offset }) => offset)).toEqual(Array.from({ length: top }, (_, i) => i + 1));
  const acknowledged = lines.flat().map((line) => Number(line.split(" ")[0]));
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  expect(Math.max(...acknowledged)).toBeLessThanOrEqual(top);
});

/** Lets a publisher work until it has acknowledged so many events, kills it, and returns all whole lines that it wrote. */
async function publishAndKill(path: string, name: string, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [publisher, path, name], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.split("\n").length > count) child.kill("SIGKILL");
  });
  const [, signal] = await once(child, "close");
  expect(signal).toBe("SIGKILL");
  // The part after the last line end may be half a line.
  return output.split("\n").slice(0, -1);
}
