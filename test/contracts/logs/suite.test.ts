// The suite of logs, tested with logs that each break one sentence of the contract.
import { afterAll, describe, expect, test } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { type LogSuiteOptions, testLog } from "../../../src/testing/index.ts";
import { plainStorage } from "../../support/plain-log.ts";
import { brokenAppends } from "./broken/append.ts";
import { type BrokenLogs, changed } from "./broken/changed.ts";
import { brokenClears } from "./broken/clear.ts";
import { brokenLives } from "./broken/life.ts";
import { brokenReads } from "./broken/read.ts";
import { brokenTails } from "./broken/tail.ts";

const everything = { persistent: true, shared: true, lossy: true, restorable: true, failing: true };

/** Tests of the suite that a broken log has failed. */
const proven = new Set<string>();

const broken: BrokenLogs = { ...brokenAppends, ...brokenReads, ...brokenTails, ...brokenLives, ...brokenClears };

describe("the suite finds a log that", { timeout: 60_000 }, () => {
  test.each(Object.entries(broken))("%s", async (_, { found, change, storage, options }) => {
    const wrapped = (retention: object) => plainStorage(retention, change && ((log) => changed(log, change)));
    const failed = await failures({ ...everything, storage: storage ?? wrapped, ...options });
    expect(failed.filter((name) => found.test(name)).length, failed.join("\n")).toBeGreaterThan(0);
    // A log that cannot even be opened would fail in everything.
    expect(failed.length).toBeLessThan(namesOf(everything).length);
    for (const name of failed) proven.add(name);
  });
});

test("the suite finds nothing in logs that work", async () => {
  const memory = (retention: object) => ({ open: () => memoryLog(retention) });
  expect(await failures({ storage: memory, deadline: 10_000 })).toEqual([]);
  expect(await failures({ ...everything, storage: (retention) => plainStorage(retention), deadline: 10_000 })).toEqual(
    [],
  );
});

afterAll(() => {
  const names = [...namesOf(everything), ...namesOf({})];
  expect(
    names.filter((name) => !proven.has(name)),
    "Tests of the suite that no broken log fails",
  ).toEqual([]);
});

type Options = Omit<LogSuiteOptions, "test">;

function namesOf(options: Partial<Options>): string[] {
  const names: string[] = [];
  testLog({ test: (name) => names.push(name), storage: () => ({ open: () => memoryLog() }), ...options });
  return names;
}

/** Names of the tests of the suite that fail. */
async function failures(options: Options): Promise<string[]> {
  const tests: [name: string, run: () => Promise<void>][] = [];
  testLog({ test: (name, run) => tests.push([name, run]), deadline: 1_500, ...options });
  const results = await Promise.allSettled(tests.map(([, run]) => run()));
  return tests.filter((_, i) => results[i]?.status === "rejected").map(([name]) => name);
}
