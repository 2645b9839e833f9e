import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { createHub, type Hub } from "sourcecast";
import { sqliteLog } from "sourcecast/sqlite";

/** What is to survive goes through the hub, into one file; what lives as long as a stream does not (see visitors.ts). */
export interface Store {
  readonly hub: Hub;
  /** The same events for those who read them again: to render a page, to go on after a restart. */
  readonly log: ReturnType<typeof sqliteLog>;
}

/** @param keep How many events are kept; who was away for more of them is told what was missed. */
export function openStore(path: string, keep: number): Store {
  mkdirSync(dirname(path), { recursive: true });
  const log = sqliteLog({ path, maxEvents: keep });
  // Short times, since here one wants to see what happens.
  return { log, hub: createHub({ log, keepAlive: "10s", retry: ["500ms", "1500ms"] }) };
}

/** Reads state together with the position to which it belongs: once more, if something was published meanwhile. */
export async function readWithCursor<T>(hub: Hub, read: () => Promise<T>): Promise<{ state: T; cursor: string }> {
  for (;;) {
    const cursor = await hub.cursor();
    const state = await read();
    if (cursor === (await hub.cursor())) return { state, cursor };
  }
}

/** For work that nobody waits for. */
export function report(error: unknown): void {
  console.error(error);
}
