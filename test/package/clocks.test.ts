import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/package.ts";

/** Where the system's clock is read, and why: durations are measured by `now()` of base/clock.ts, which does not jump. */
const wallClock: Readonly<Record<string, string>> = {
  "source/source.ts": "createdAt, for people",
  "presence/local-members.ts": "since, for people",
  "hub/log-health.ts": "since when the log cannot be reached, for people",
  "hub/reader/read-event.ts": "the time of a loss, for people",
  "logs/memory/index.ts": "the times of entries",
  "logs/sqlite/change-watch.ts": "the times of a file, set to provoke a change event",
  "logs/sqlite/clock.ts": "the times of entries, which outlive the process and the system's jumps",
  "logs/sqlite/migration.ts": "the times of entries",
  "logs/sqlite/writer.ts": "the times of entries",
  "client/awake-clock.ts": "a client's machine sleeps, and the monotonic clock of some runtimes does, too",
  "cli/format.ts": "the time of day of an event, for people",
  "cli/run.ts": "the time until the next attempt, which the client gives in Unix time",
  "client/response.ts": "the date in a retry-after header",
  "testing/log/append.ts": "the times of entries",
  "testing/plain-store.ts": "the times of entries",
};

/** Where a timer of the platform is set, and why: base/clock.ts has the ones that wait as long as an option says. */
const timers: Readonly<Record<string, string>> = {
  "base/clock.ts": "the one place",
  "hub/lifetime/no-subscribers.ts": "an interval of a second at most, which keeps the process alive",
  "log/append-queue.ts": "a pause between two attempts, which keeps the process alive",
  "hub/reader/channel-iterator.ts": "nothing else keeps the process alive while a reader waits",
  "logs/redis/clear.ts": "a pause of a moment while another channel is cleared, which keeps the process alive",
  "logs/sqlite/clear.ts": "a pause of a few milliseconds, which keeps the process alive",
  "logs/sqlite/log.ts": "a pause of a few milliseconds, which keeps the process alive",
  "client/environment.ts": "the client's own timers: they keep a process alive while it is subscribed",
  "client/response.ts": "a deadline of a moment for the text of an error",
  "testing/adapter-context.ts": "the suite of adapters: a pause between two looks",
  "testing/adapter-suite.ts": "the suite of adapters: a producer that does not wait",
  "testing/log/scenario.ts": "the suite of logs needs no part of the package",
};

test.each([
  ["Date.now() and new Date() are only", /\bDate\.now\(|\bnew Date\(\s*\)/, wallClock],
  [
    "performance.now() is only",
    /\bperformance\.now\(/,
    {
      "base/clock.ts": "now()",
      "client/awake-clock.ts":
        "the module of now() captures async contexts, which a browser would download for nothing",
    },
  ],
  ["setTimeout() and setInterval() are only", /(?<![.\w])set(?:Timeout|Interval)\(/, timers],
])("%s where the list says, with the reason", (_, pattern, allowed) => {
  const src = join(root, "src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts") && pattern.test(code(readFileSync(join(src, name), "utf8"))));
  expect(files.sort()).toEqual(Object.keys(allowed).sort());
});

/** A file without its comments. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
}
