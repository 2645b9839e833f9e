/** The core's unit tests on a runtime on which Vitest does not run. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Report } from "../support/mini-vitest/index.ts";
import { runQuietly } from "../support/run.ts";
import { bundleUnitTests } from "../support/unit-tests.ts";
import type { Exceptions } from "./exceptions.ts";

const runner = join(import.meta.dirname, "fixtures/unit-tests.mjs");

/** How the tests of each module went. */
export type Reports = Record<string, Report>;
/** Runs the modules of a folder, without those tests. */
export type RunModules = (folder: string, except: Record<string, string[]>) => Promise<Reports>;

export function unitSuite(runtime: string, run: RunModules, exceptions: Exceptions): void {
  describe(`the unit tests on ${runtime}`, () => {
    let folder: string;
    let reports: Reports;
    let names: Record<string, string[]>;
    const except = Object.fromEntries(Object.entries(exceptions).map(([file, tests]) => [file, Object.keys(tests)]));

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "sourcecast-unit-"));
      await bundleUnitTests(folder);
      names = await namesOf(folder);
      reports = await run(folder, except);
    });

    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test("pass", () => {
      const failed = Object.entries(reports).flatMap(([file, report]) =>
        report.failed.map((test) => ({ file, ...test })),
      );
      expect(failed).toEqual([]);
    });

    test("are as many as on Node, but for the exceptions that are named with their reasons", () => {
      const counts = (count: (report: Report) => number) =>
        Object.fromEntries(Object.entries(reports).map(([file, report]) => [file, count(report)]));
      expect(counts(({ passed, failed, excepted }) => passed.length + failed.length + excepted.length)).toEqual(
        Object.fromEntries(Object.entries(names).map(([file, { length }]) => [file, length])),
      );
      const needless = Object.entries(except).flatMap(([file, tests]) =>
        tests.filter((name) => !reports[file]?.excepted.some((test) => `${test} > `.startsWith(`${name} > `))),
      );
      expect(needless, "exceptions that no test has").toEqual([]);
    });
  });
}

/** Runs them with a program that takes a script and its arguments. */
export function withProgram(program: string, args: readonly string[] = []): RunModules {
  return (folder, except) => runModules(program, args, folder, JSON.stringify(except)) as Promise<Reports>;
}

/** How many unit tests there are. */
export async function countUnitTests(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-unit-"));
  try {
    await bundleUnitTests(folder);
    return Object.values(await namesOf(folder)).flat().length;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function namesOf(folder: string): Promise<Record<string, string[]>> {
  return runModules(process.execPath, [], folder) as Promise<Record<string, string[]>>;
}

async function runModules(program: string, args: readonly string[], folder: string, ...except: string[]) {
  const result = join(folder, "result.json");
  rmSync(result, { force: true });
  const output = await runQuietly(program, [...args, runner, folder, ...except]);
  expect(output, "output of the tests").toBe("");
  if (!existsSync(result)) throw new Error(`${program} ended before all tests had`);
  return JSON.parse(readFileSync(result, "utf8"));
}
