// Histories that failed once, as fast-check shrank them. Each kind has a test of its own as well, in tabs.test.ts or
// sharing.test.ts, since a change of the code may make other use of the random numbers of a seed.
import { test } from "vitest";
import { type History, runHistory } from "../../support/sharing-world.ts";

const browserHistories: Record<string, History> = {
  "a tab that wakes when a new leader has begun past its position receives the events in between": {
    steps: [
      { kind: "wait", milliseconds: 20_000 },
      { kind: "follow", channels: ["a"], how: "listen", back: 0, tab: 1 },
      { kind: "publish", channel: "a", count: 1 },
      { kind: "tab", index: 0, how: "suspend" },
      { kind: "wait", milliseconds: 20_000 },
      { kind: "tab", index: 0, how: "freeze" },
      { kind: "publish", channel: "a", count: 1 },
      { kind: "refuse", refusal: { status: 500 } },
      { kind: "wait", milliseconds: 20_000 },
      { kind: "tab", index: 2, how: "crash" },
    ],
    from: "now",
    limit: null,
    seed: 761_631_064,
  },
};

test.each(Object.entries(browserHistories))("%s", async (_, history) => {
  await runHistory(history, true);
});
