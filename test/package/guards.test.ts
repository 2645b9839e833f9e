import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../support/package.ts";

/** Faults that the setup of all tests (test/support/guards.ts) must detect, and cases that it must let pass. */
describe("the guards of the tests", () => {
  const { tests, files } = runFixtures();

  test.each([
    ["prints", "Unexpected output: console.log: stray"],
    ["warns", "Unexpected output: Warning: careful"],
    ["rejects without a handler", "Unhandled rejection"],
    ["expects output that does not come", "Expected output that matches /never/"],
    ["expects another rejection", "Unhandled rejection"],
    ["expects a rejection that does not come", "Expected an unhandled rejection that matches /never/"],
  ])("a test that %s fails", (name, message) => {
    expect(tests.get(name)).toContain(message);
  });

  test.each([
    "prints what it announced",
    "leaves a rejection that it announced",
    "uses timers and lets them end",
    "uses a fake clock",
  ])("a test that %s passes", (name) => {
    expect(tests.get(name)).toBe("");
  });

  test.each([
    ["interval.ts", "setInterval made at"],
    ["server.ts", "TCPServerWrap"],
    ["socket.ts", "TCPSocketWrap"],
    ["listener.ts", 'listener of process "SIGTERM"'],
    ["child.ts", "ProcessWrap"],
  ])("a file that leaves something behind fails: %s", (file, message) => {
    expect(files.get(file)).toContain(message);
  });

  test("a file that tidies up passes", () => {
    expect(files.get("tidy.ts")).toBe("");
  });
});

interface Report {
  testResults: {
    name: string;
    message: string;
    assertionResults: { title: string; failureMessages: string[] }[];
  }[];
}

/** Messages of failure by test and by file, empty for what passed. */
function runFixtures() {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-guards-"));
  const output = join(folder, "report.json");
  const config = "test/package/fixtures/guards/vitest.config.ts";
  const args = ["run", "--config", config, "--reporter=json", `--outputFile=${output}`];
  const vitest = `${root}/node_modules/vitest/vitest.mjs`;
  const { stderr } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, encoding: "utf8" });
  if (!existsSync(output)) throw new Error(`No report: ${stderr}`);
  const report: Report = JSON.parse(readFileSync(output, "utf8"));
  rmSync(folder, { recursive: true });
  const tests = new Map<string, string>();
  const files = new Map<string, string>();
  for (const { name, message, assertionResults } of report.testResults) {
    files.set(basename(name), message);
    for (const { title, failureMessages } of assertionResults) tests.set(title, failureMessages.join("\n"));
  }
  return { tests, files };
}
