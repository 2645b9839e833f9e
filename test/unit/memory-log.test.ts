import { expect, test, vi } from "vitest";
import type { ChannelSelection, NewEntry } from "../../src/log/log.ts";
import { type MemoryLogOptions, memoryLog } from "../../src/logs/memory/index.ts";
import { at, read, trimmed } from "../../src/testing/log/ask.ts";
import { expectConsole } from "../support/console.ts";

test("one of several processes: the log warns once that its events do not reach the others", () => {
  const lines = expectConsole(/memoryLog\(\) is used in one of several processes.*sqliteLog\(\)/);
  memoryLog();
  expect(lines).toHaveLength(0);
  vi.stubEnv("NODE_APP_INSTANCE", "1");
  memoryLog();
  memoryLog();
  vi.unstubAllEnvs();
  expect(lines).toHaveLength(1);
});

test.each<[string, object, RegExp]>([
  ["maxEvents", { maxEvents: 0.5 }, /maxEvents is 0.5; it takes a whole number, one or more/],
  ["maxBytes", { maxBytes: "much" }, /maxBytes is "much"; it takes a number of bytes/],
  ["maxAge", { maxAge: -1 }, /maxAge is -1; it takes a number of milliseconds/],
  ["idempotencyWindow", { idempotencyWindow: {} }, /idempotencyWindow is an object/],
])("options that are not allowed: %s", (_, options, message) => {
  expect(() => memoryLog(options as MemoryLogOptions)).toThrow(message);
});

test("memory of channels is bounded, and a forgotten channel gets its loss declared alone", async () => {
  const log = memoryLog({ maxEvents: 10 });
  await log.append([entry("kept", { key: "k" })]);
  const channels = 70_000;
  await log.append(Array.from({ length: channels }, (_, i) => entry(`c${i}`)));
  await log.append(Array.from({ length: 10 }, () => entry("new")));
  // The first one kept its entry, for its key; of the others the last 65,536 are remembered.
  const floor = 1 + channels - 65_536;
  expect(await trimmed(log, selecting("c0"))).toBe(floor);
  expect(await trimmed(log, selecting(`c${channels - 1}`))).toBe(channels + 1);
  expect(await trimmed(log, selecting("kept"))).toBe(0);
  expect((await read(log, 0, 10, selecting("kept"))).entries).toHaveLength(1);
  expect(await trimmed(log, { channels: [], prefixes: ["nobody"] })).toBe(floor);
  const after = await at(log, channels + 1);
  await expect(log.append([entry("new", { after })])).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
  await log.append([entry("kept", { after })]);
});

function entry(channel: string, fields: Partial<NewEntry> = {}): NewEntry {
  return { channel, type: "message", data: "", ...fields };
}

function selecting(...channels: string[]): ChannelSelection {
  return { channels, prefixes: [] };
}
