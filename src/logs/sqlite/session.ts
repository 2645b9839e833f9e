// The parts of the log that belong to one open database: they end with it, and others are made for the next.
import type { RetentionLimits } from "../../log/retention.ts";
import { LogClock } from "./clock.ts";
import type { SqlConnection } from "./connection.ts";
import { Eraser } from "./eraser.ts";
import { Locating } from "./locating.ts";
import { Reader } from "./reader.ts";
import { RetentionWorker } from "./retention.ts";
import { Writer } from "./writer.ts";

/** All statements of the log, prepared on one connection. */
export class Session {
  readonly connection: SqlConnection;
  readonly clock: LogClock = new LogClock();
  readonly reader: Reader;
  readonly writer: Writer;
  readonly locating: Locating;
  readonly retention: RetentionWorker;
  /** `null` where the platform keeps older states of the storage. */
  readonly eraser: Eraser | null;

  constructor(connection: SqlConnection, limits: RetentionLimits) {
    this.connection = connection;
    this.reader = new Reader(connection);
    this.writer = new Writer(connection, this.reader, this.clock, limits.window);
    this.locating = new Locating(connection, this.reader);
    this.retention = new RetentionWorker(connection, this.clock, limits);
    this.retention.start();
    this.eraser = connection.isEvictable ? null : new Eraser(connection, this.writer);
  }

  close(): void {
    this.retention.close();
    this.connection.close();
  }
}
