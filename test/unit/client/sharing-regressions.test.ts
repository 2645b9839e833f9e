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
  "a tab catches up if a leader that did not know its channels has begun a new stream for them": {
    steps: [
      { kind: "wait", milliseconds: 38_549 },
      { kind: "leave", index: 1 },
      { kind: "follow", channels: ["a"], how: "after", back: 0, tab: 1 },
      { kind: "wait", milliseconds: 38_386 },
      { kind: "tab", index: 1, how: "deafen" },
      { kind: "refuse", refusal: { later: "draining" } },
      { kind: "limit", perKey: 1 },
      { kind: "wait", milliseconds: 136_484 },
      { kind: "tab", index: 0, how: "freeze" },
      { kind: "wait", milliseconds: 152 },
      { kind: "publish", channel: "c/2", count: 1 },
      { kind: "publish", channel: "a", count: 1 },
      { kind: "wait", milliseconds: 1_585 },
    ],
    from: "now",
    limit: null,
    seed: 616_667_304,
  },
  "a tab whose leader missed its channels gets a connection when messages arrive again": {
    steps: [
      { kind: "tab", index: 1, how: "deafen" },
      { kind: "wait", milliseconds: 30_000 },
      { kind: "leave", index: 1 },
      { kind: "follow", channels: ["a"], how: "listen", back: 3, tab: 0 },
      { kind: "refuse", refusal: { error: "The network is gone" } },
      { kind: "tab", index: 2, how: "deafen" },
      { kind: "limit", perKey: 1 },
      { kind: "wait", milliseconds: 20_000 },
    ],
    from: "now",
    limit: null,
    seed: 8,
  },
  "a tab that joins between a loss and the position after it receives the loss, too": {
    steps: [
      { kind: "refuse", refusal: { status: 500 } },
      { kind: "leave", index: 0 },
      { kind: "follow", channels: ["c/1"], how: "listen", back: 4, tab: 0 },
      { kind: "wait", milliseconds: 176 },
      { kind: "tab", index: 0, how: "suspend" },
      { kind: "tab", index: 1, how: "deafen" },
      { kind: "replace" },
      { kind: "follow", channels: ["a"], how: "listen", back: 0, tab: 0 },
      { kind: "follow", channels: ["a"], how: "loop", back: 2, tab: 1 },
      { kind: "tab", index: 0, how: "suspend" },
      { kind: "wait", milliseconds: 82 },
      { kind: "follow", channels: ["c/*"], how: "listen", back: 1, tab: 2 },
      { kind: "publish", channel: "c/1", count: 1 },
      { kind: "wait", milliseconds: 41 },
    ],
    from: "now",
    limit: null,
    seed: 4,
  },
  "a tab that has too many channels for a new leader gets connections of its own for all of its lines": {
    steps: [
      { kind: "wait", milliseconds: 47 },
      { kind: "follow", channels: ["a", "c/2", "b"], how: "listen", back: 3, tab: 2 },
      { kind: "wait", milliseconds: 51 },
      { kind: "tab", index: 0, how: "suspend" },
      { kind: "tab", index: 0, how: "wake" },
      { kind: "wait", milliseconds: 1000 },
      { kind: "tab", index: 2, how: "suspend" },
    ],
    from: "start",
    limit: 3,
    seed: 1,
  },
  "a tab whose lines a leader sends away does not ask for them again at once": {
    steps: [
      { kind: "refuse", refusal: { error: "The network is gone" } },
      { kind: "wait", milliseconds: 8 },
      { kind: "wait", milliseconds: 33 },
      { kind: "wait", milliseconds: 74 },
      { kind: "refuse", refusal: { later: "connectionsPerKey" } },
      { kind: "wait", milliseconds: 26 },
      { kind: "follow", channels: ["a"], how: "loop", back: 2, tab: 2 },
    ],
    from: "start",
    limit: 3,
    seed: 6,
  },
};

test.each(Object.entries(browserHistories))("%s", async (_, history) => {
  await runHistory(history, true);
});
