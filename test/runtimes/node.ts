/** Another Node than the one that runs the tests: Vitest under it, and the suite of what serving means. */
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { serveSuite } from "../contracts/serving-suite.ts";
import { Http2Client } from "../support/client.ts";
import { startFixture } from "../support/fixture.ts";
import { root } from "../support/package.ts";
import { runQuietly } from "../support/run.ts";
import { node } from "../support/runtimes.ts";
import { countUnitTests } from "./unit.ts";

const projects = ["unit", "contracts"];

/** The part that is used of what Vitest reports as JSON. */
interface VitestReport {
  testResults: { name: string; assertionResults: { status: string; fullName: string; failureMessages: string[] }[] }[];
}

/** Both projects, while another version runs them as well. */
const suiteTimeout = 540_000;

export function nodeSuite(version: string): void {
  const [major] = version.split(".");

  describe(`the unit tests and the contracts on Node ${major}`, () => {
    test("pass, all of them", async () => {
      const [count, { testResults }] = await Promise.all([countUnitTests(), runVitest(await node(version))]);
      const results = testResults.flatMap(({ name, assertionResults }) =>
        assertionResults.map((result) => ({ ...result, file: relative(root, name) })),
      );
      expect(results.filter(({ status }) => status !== "passed")).toEqual([]);
      // Nothing was left out on the way: each file, and as many unit tests as other runtimes run.
      expect(new Set(results.map(({ file }) => file))).toEqual(new Set(testFiles()));
      expect(results.filter(({ file }) => file.startsWith("test/unit")).length).toBe(count);
    });
  });

  serveSuite(`node:http on Node ${major}`, async () => startFixture("node-http", { program: await node(version) }));
  serveSuite(`node:http2 on Node ${major}`, async () => startFixture("node-http2", { program: await node(version) }), {
    connect: (port, request) => new Http2Client(port, request),
  });
}

function testFiles(): string[] {
  return projects.flatMap((project) => globSync(`test/${project}/**/*.test.ts`, { cwd: root }));
}

async function runVitest(program: string): Promise<VitestReport> {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-vitest-"));
  const report = join(folder, "report.json");
  const args = ["run", "--reporter=json", `--outputFile=${report}`, ...projects.flatMap((name) => ["--project", name])];
  // Vitest must not take itself for a worker of the one that runs this test.
  const own = Object.keys(process.env).filter((name) => /^(VITEST|TEST$|NODE_ENV$)/.test(name));
  const env = Object.fromEntries(own.map((name) => [name, undefined]));
  try {
    // The report contains the failures, too.
    const vitest = [join(root, "node_modules/vitest/vitest.mjs"), ...args];
    const ended = runQuietly(program, vitest, { cwd: root, env, timeout: suiteTimeout });
    const failure = await ended.then(
      () => undefined,
      (error) => error,
    );
    try {
      return JSON.parse(readFileSync(report, "utf8"));
    } catch {
      throw failure ?? new Error(`Vitest wrote no report on ${program}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
