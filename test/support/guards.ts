/**
 * Set-up of every test file. A test fails on an unhandled rejection, on output that it did not announce with
 * `expectConsole()`, and a file fails on timers, sockets, servers, child processes or signal listeners that it leaves.
 */
import { format } from "node:util";
import { afterAll, afterEach } from "vitest";
import { record, settleConsole, settleRejections } from "./console.ts";
import { leaks, startLeakWatch } from "./leaks.ts";

guardConsole();
const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));
const watch = startLeakWatch();

afterEach(async () => {
  // Node reports a rejection after the microtasks of the turn in which it happened.
  await watch.turn();
  const unhandled = rejections.splice(0).map((reason) => format("Unhandled rejection: %o", reason));
  complain([...settleConsole(), ...settleRejections(unhandled)]);
});

// Hooks of the set-up file run after those of the test file.
afterAll(async () => {
  await watch.turn();
  complain([...settleConsole(), ...(await leaks(watch))]);
});

function complain(problems: string[]): void {
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

function guardConsole(): void {
  for (const method of ["log", "info", "warn", "error", "debug", "trace", "table", "dir"] as const) {
    console[method] = (...args: unknown[]) => record(`console.${method}: ${format(...args)}`);
  }
  process.on("warning", (warning) => {
    // Node says it once per process for every user of node:sqlite.
    if (warning.name === "ExperimentalWarning" && /SQLite/.test(warning.message)) return;
    record(`${warning.name}: ${warning.message}`);
  });
}
