import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { createHub, type Hub } from "sourcecast";
import { sqliteLog } from "sourcecast/sqlite";

/** The hub: state that survives a restart is in its log, one file. State that lives as long as a stream is in visitors.ts. */
export interface Store {
  readonly hub: Hub;
  /** The log, for reading events again: to render a page, to continue after a restart. */
  readonly log: ReturnType<typeof sqliteLog>;
}

/** @param keep How many events are kept. A client that missed more is told how many. */
export function openStore(path: string, keep: number): Store {
  mkdirSync(dirname(path), { recursive: true });
  const log = sqliteLog({ path, maxEvents: keep });
  // Short times, so that the effects are visible in a demo.
  return { log, hub: createHub({ log, keepAlive: "10s", retry: ["500ms", "1500ms"] }) };
}

/** Reads state together with its position in the log. Reads again if an event was published during the read. */
export async function readWithCursor<T>(hub: Hub, read: () => Promise<T>): Promise<{ state: T; cursor: string }> {
  for (;;) {
    const cursor = await hub.cursor();
    const state = await read();
    if (cursor === (await hub.cursor())) return { state, cursor };
  }
}

/** Reports a failure of work that no request waits for. */
export function report(error: unknown): void {
  console.error(error);
}
