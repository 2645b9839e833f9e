// Notices that another connection has changed the database: at once by a watch over the WAL, and otherwise by asking.
import { runDetached } from "../../base/async-context.ts";
import { now, unrefTimeout } from "../../base/clock.ts";
import { type IdleTarget, unwatchIdle, watchIdle } from "../../sinks/idle-timer.ts";
import type { SqlConnection } from "./connection.ts";
import { isLocked } from "./driver.ts";
import { fileSystem, walOf } from "./files.ts";

/** The first look after a sign of a change, and the least time between two looks. */
const minLookMs = 1;
/** Looks become rarer up to this interval, at which a database without a working watch is polled. */
const maxLookMs = 25;
const lookGrowth = 1.5;
/** How long to wait after the database could not be asked. */
const failureRetryMs = 500;
/**
 * How often the files are checked, and the version, even if no watch reports anything: watches lose events. Less than the
 * second of the contract, by what the shared timer may be late.
 */
const idleCheckMs = 900;

/** Called by a {@link ChangeWatch}. */
export interface ChangeHandlers {
  /** Another connection has committed, or may have. */
  onChange(): void;
  /** Reading the version of the database failed. The watch tries again later. */
  onFailure(error: unknown): void;
  /** About once a second. */
  onIdle(): void;
}

/**
 * One watch over a database, while a log has tails.
 *
 * Every commit is written to the WAL, and where the platform reports that (inotify, kqueue), the report wakes this process.
 * A write is reported before its commit is complete, so a few more looks follow a report. While the watch is trusted, there
 * are no others but the idle check. It is trusted once it has reported a touch or a change, and no longer when a change is
 * found that it has not reported, as on some network file systems. Without a trusted watch, the database is polled.
 */
export class ChangeWatch implements IdleTarget {
  readonly idleAfter: number = idleCheckMs;
  lastSent = 0;
  readonly #connection: SqlConnection;
  readonly #handlers: ChangeHandlers;
  #isRunning = false;
  #watcher: { close(): void } | null = null;
  #isTrusted = false;
  /** The WAL was touched, to see whether the watch reports it. */
  #isProbing = false;
  /** The watch has reported something, and the change may still be found. */
  #isReported = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #delay = minLookMs;
  #lastLook = Number.NEGATIVE_INFINITY;
  #nextLook = Number.POSITIVE_INFINITY;
  /** The version that the last look found; `null` makes the next look report a change. */
  #version: string | null = null;

  constructor(connection: SqlConnection, handlers: ChangeHandlers) {
    this.#connection = connection;
    this.#handlers = handlers;
  }

  /**
   * The first look always reports a change: what was committed before the first version was read would otherwise be
   * noticed only with the next commit. Calling it again does nothing, so each tail may call it.
   */
  start(): void {
    if (this.#isRunning || this.#connection.isExclusive) return;
    this.#isRunning = true;
    this.#version = null;
    this.#watchWal();
    this.lastSent = now();
    watchIdle(this);
    this.#lookIn(minLookMs);
  }

  /** A watch that is stopped can be started again, and begins without trust. */
  stop(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    unwatchIdle(this);
    this.#unwatchWal();
    this.#cancel();
  }

  /** Called by the shared timer. */
  onIdle(time: number): void {
    this.lastSent = time;
    this.#handlers.onIdle();
    const wasAsleep = this.#timer === null;
    if (!this.#attempt(() => this.#connection.assertInPlace())) return;
    // A change that nothing has reported: the watch has lost an event, or reports none.
    if (this.#look() && wasAsleep) this.#isTrusted = false;
  }

  /**
   * The touch tests the watch: where a file system reports nothing, it would look like a database in which nothing
   * happens. Watching took the time from a publish to the tail of another process from 14 ms to 0.7 ms (median).
   */
  #watchWal(): void {
    const { file } = this.#connection;
    const fs = file === null ? undefined : fileSystem(file);
    if (file === null || fs === undefined || isWindows()) return;
    const wal = walOf(file);
    try {
      const watcher = runDetached(() => fs.watch(wal, { persistent: false }, () => this.#onReport()));
      // Such as a limit on watches that is reached later.
      watcher.on("error", () => this.#unwatchWal());
      this.#watcher = watcher;
      this.#isProbing = true;
      const time = new Date();
      fs.utimesSync(wal, time, time);
    } catch {
      // No WAL, no permission, or too many watches (ENOSPC of inotify): the database is polled.
    }
  }

  #unwatchWal(): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.#isTrusted = this.#isProbing = this.#isReported = false;
    if (this.#timer === null) this.#lookIn(maxLookMs);
  }

  #onReport(): void {
    if (!this.#isRunning) return;
    if (this.#isProbing) this.#isTrusted = true;
    this.#isProbing = false;
    this.#isReported = true;
    this.#delay = minLookMs;
    const time = now();
    // A process that publishes gets a report for each of its own commits.
    if (time - this.#lastLook >= minLookMs) this.#look();
    else if (this.#nextLook > time + minLookMs) this.#lookIn(minLookMs);
  }

  /**
   * True when there was a change. Plans the next look, before `onChange`, so a handler that stops the watch cancels
   * it.
   *
   * Looks follow a report for some 50 ms, further and further apart, because a write is reported before its commit is
   * visible.
   */
  #look(): boolean {
    let hasChanged = false;
    const isFine = this.#attempt(() => {
      const version = this.#connection.version();
      hasChanged = version !== this.#version;
      this.#version = version;
    });
    this.#lastLook = now();
    if (!isFine) return false;
    if (hasChanged && this.#isReported) this.#isTrusted = true;
    if (hasChanged) this.#delay = minLookMs;
    const delay = this.#delay;
    this.#delay = Math.min(delay * lookGrowth, maxLookMs);
    if (delay === maxLookMs) this.#isReported = false;
    if (delay === maxLookMs && this.#isTrusted) this.#cancel();
    else this.#lookIn(delay);
    if (hasChanged) this.#handlers.onChange();
    return hasChanged;
  }

  /** A lock is held for moments and is not a failure. Other errors are reported, and tried again more rarely. */
  #attempt(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const isPassing = isLocked(error);
      this.#lookIn(isPassing ? maxLookMs : failureRetryMs);
      if (!isPassing) this.#handlers.onFailure(error);
      return false;
    }
  }

  #lookIn(delay: number): void {
    this.#cancel();
    if (!this.#isRunning) return;
    this.#nextLook = now() + delay;
    this.#timer = unrefTimeout(() => {
      this.#timer = null;
      this.#look();
    }, delay);
  }

  #cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#nextLook = Number.POSITIVE_INFINITY;
  }
}

/**
 * Windows reports a write "only when the file is written to the disk", which can be when it is closed
 * (https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-readdirectorychangesw, FILE_NOTIFY_CHANGE_LAST_WRITE).
 */
function isWindows(): boolean {
  return (globalThis as { process?: { platform?: string } }).process?.platform === "win32";
}
