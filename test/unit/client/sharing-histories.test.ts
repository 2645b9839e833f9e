// Seeded histories of subscriptions that share connections: none loses an event without a loss, gets one twice, or another's.
import { test } from "vitest";
import type { Refusal } from "../../support/labeled-hub.ts";
import fc from "../../support/properties.ts";
import { channels, followed, runHistory, type Step } from "../../support/sharing-world.ts";

/** How many histories: more with HISTORIES=10000. */
const histories = Number(globalThis.process?.env.HISTORIES ?? 60);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      channel: fc.constantFrom(...channels),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("follow" as const),
      channels: fc.uniqueArray(fc.constantFrom(...followed), { minLength: 1, maxLength: 3 }),
      how: fc.constantFrom("listen" as const, "listen" as const, "loop" as const, "after" as const),
      back: fc.nat(6),
      tab: fc.nat(2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave" as const), index: fc.nat(8) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("cut" as const),
      index: fc.nat(3),
      how: fc.constantFrom("error" as const, "end" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("refuse" as const),
      refusal: fc.constantFrom<Refusal>(
        { status: 500 },
        { status: 429 },
        { error: "The network is gone" },
        { later: "connectionsPerKey" },
        { later: "draining" },
      ),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(5_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("trim" as const), count: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("limit" as const), perKey: fc.constantFrom(1, 2, 3, 100) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("value" as const), channel: fc.constantFrom(...channels) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "replace" as const }) },
);

/** Long enough for a frozen leader to lose its lock. */
const longWait: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("wait" as const),
  milliseconds: fc.integer({ min: 20_000, max: 60_000 }),
});

const tabStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("tab" as const),
  index: fc.nat(2),
  how: fc.constantFrom(
    "freeze" as const,
    "thaw" as const,
    "thaw" as const,
    "crash" as const,
    "suspend" as const,
    "wake" as const,
    "wake" as const,
    "deafen" as const,
    "listen" as const,
    "listen" as const,
  ),
});

function property(steps: fc.Arbitrary<Step>, isBrowser: boolean): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(
    fc.array(steps, { minLength: 10, maxLength: 60, size: "max" }),
    fc.constantFrom("now" as const, "now" as const, "start" as const),
    fc.constantFrom(null, null, 3),
    fc.nat(),
    (steps, from, limit, seed) => runHistory({ steps, from, limit, seed }, isBrowser),
  );
}

test(`${histories} histories of a page: each subscription receives its own events, all of them, once`, async () => {
  await fc.assert(property(step, false), { numRuns: histories });
}, 600_000);

test(`${histories} histories of a browser: so does each in tabs that freeze, crash and come back`, async () => {
  const steps = fc.oneof(
    { weight: 12, arbitrary: step },
    { weight: 4, arbitrary: tabStep },
    { weight: 1, arbitrary: longWait },
  );
  await fc.assert(property(steps, true), { numRuns: histories });
}, 600_000);
