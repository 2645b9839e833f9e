import { expect } from "vitest";
import type { CompleteLog } from "../../src/log/complete.ts";
import { entry, range, select, trimmed } from "../../src/testing/log/ask.ts";
import { eventually } from "./deadline.ts";

/** Opens an empty log that keeps so many entries. */
export type OpenLog = (maxEvents: number) => Promise<CompleteLog>;

/**
 * The losses of a channel, as a log that knows them exactly reports them to readers with and without conflation: its own, and
 * none of other channels. A log may report more than was lost, so this is not part of the contract.
 */
export const exactLosses: Readonly<Record<string, (open: OpenLog) => Promise<void>>> = {
  "superseded entries count for readers that do not conflate, from the moment at which they are gone": async (open) => {
    const log = await open(4);
    const publish = async (data: string): Promise<void> => {
      await log.append([entry("a/1", data, { key: "k" })]);
    };
    await publish("1");
    await pushOut(log, 4);
    // The entry is kept as the value of its key.
    expect([await lost(log, "a/1"), await lost(log, "a/*"), await lost(log, "b")]).toEqual([
      [0, 0],
      [0, 0],
      [7, 7],
    ]);
    await publish("2");
    expect([await lost(log, "a/1"), await lost(log, "a/*")]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    await publish("3");
    await pushOut(log, 4);
    expect([await lost(log, "a/1"), await lost(log, "a/*")]).toEqual([
      [0, 12],
      [0, 12],
    ]);
    // Of everything, whatever was removed is lost.
    expect(await lost(log, "*")).toEqual([19, 19]);
  },

  "an older value that is superseded later takes no loss of its channel back": async (open) => {
    const log = await open(4);
    await log.append([entry("a", "x1", { key: "x" }), entry("a", "y1", { key: "y" }), entry("a", "y2", { key: "y" })]);
    await pushOut(log, 4);
    expect(await lost(log, "a")).toEqual([0, 2]);
    await log.append([entry("a", "x2", { key: "x" })]);
    expect(await lost(log, "a")).toEqual([0, 2]);
  },

  "a channel with values that lost nothing has lost nothing, whatever others have lost": async (open) => {
    const log = await open(4);
    await log.append(range(1, 6).map((n) => entry("b", `${n}`, { key: "k" })));
    await log.append([entry("a/1", "value", { key: "k" }), entry("a/2", "plain")]);
    await eventually(
      "it is trimmed",
      () => log.head(),
      ({ floor }) => floor.offset === 4,
    );
    expect([await lost(log, "a/1"), await lost(log, "a/*"), await lost(log, "b")]).toEqual([
      [0, 0],
      [0, 0],
      [0, 4],
    ]);
  },
};

/** The highest offset that a selection has lost: with conflation, and without. */
async function lost(log: CompleteLog, ...names: string[]): Promise<number[]> {
  return [
    await trimmed(log, select(...names), { conflate: true }),
    await trimmed(log, select(...names), { conflate: false }),
  ];
}

/** Entries of another channel take the place of all others. */
async function pushOut(log: CompleteLog, maxEvents: number): Promise<void> {
  await log.append(range(1, 10).map((n) => entry("b", `${n}`)));
  const { top } = await log.head();
  await eventually(
    "it is trimmed",
    () => log.head(),
    ({ floor }) => floor.offset === top - maxEvents,
  );
}
