/** Databases and logs of one test, which are closed and removed after it. */
import { DatabaseSync } from "node:sqlite";
import { afterEach } from "vitest";
import type { CompleteLog } from "../../src/log/complete.ts";
import type { ChannelSelection, Log, LogEntry, NewEntry } from "../../src/log/log.ts";
import { type SQLiteLike, type SqliteLogOptions, sqliteLog } from "../../src/logs/sqlite/index.ts";
import { read } from "../../src/testing/log/ask.ts";
import { temporaryFile } from "./temporary.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export function file(): string {
  const { path, remove } = temporaryFile("events.db");
  cleanups.push(remove);
  return path;
}

export function track<Database extends SQLiteLike>(database: Database): Database {
  cleanups.push(() => database.close());
  return database;
}

export function open(path: string): DatabaseSync {
  return track(new DatabaseSync(path));
}

export function openLog(options: SqliteLogOptions): CompleteLog {
  const log = sqliteLog(options);
  cleanups.push(() => log.close());
  return log;
}

/** The database, with the statements that were prepared through it and those that were run. */
export function recording(inner: DatabaseSync): { database: SQLiteLike; runs: string[] } {
  const runs: string[] = [];
  const database: SQLiteLike = {
    exec: (sql) => inner.exec(sql),
    close: () => inner.close(),
    prepare(sql) {
      const statement = inner.prepare(sql);
      const noted = <T>(result: T): T => {
        runs.push(sql);
        return result;
      };
      return {
        run: (...values) => noted(statement.run(...values)),
        get: (...values) => noted(statement.get(...values)),
        all: (...values) => noted(statement.all(...values)),
      };
    },
  };
  return { database, runs };
}

/** Everything that a selection has, page after page. */
export async function readAll(log: Log, selection?: ChannelSelection, limit = 500): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  const { top } = await log.head();
  for (let position = 0; position < top; ) {
    const page = await read(log, position, limit, selection);
    found.push(...page.entries);
    position = page.through;
  }
  return found;
}

export function entry(channel: string, data = "", fields: Partial<NewEntry> = {}): NewEntry {
  return { channel, type: "message", data, ...fields };
}

export function selecting(...channels: string[]): ChannelSelection {
  return { channels, prefixes: [] };
}
