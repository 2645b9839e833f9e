// How long a run of another process has been quiet. Its signs of life arrive with the tail of the hub, as its readers get them.
import { now, WakeTimer } from "../base/clock.ts";
import type { HubInternals } from "../hub/internals.ts";
import type { ReadEvent } from "../hub/reader/read-event.ts";
import { parseCursor } from "../wire/cursor.ts";
import type { Chat, ElectedRun } from "./chat.ts";

/**
 * Measures a lease from the newest sign of life. A sign that the tail has missed makes the wait end too early, never too late: the
 * watcher asks the log before it acts.
 */
export class Quiet {
  /** The offset of the newest sign; `undefined` where none is known. */
  offset: number | undefined;
  readonly #leaseMs: number;
  readonly #timer: WakeTimer;
  readonly #unsubscribe: (() => void)[];
  /** When it arrived. */
  #since: number = now();
  #resolve: () => void = () => {};
  #isOpen = true;

  constructor(hub: HubInternals, { channels }: Pick<Chat, "channels">, { run, channel, lease }: ElectedRun) {
    this.#leaseMs = lease;
    this.#timer = new WakeTimer((time) => {
      const due = this.#since + this.#leaseMs;
      if (time < due) this.#timer.set(due);
      else this.#resolve();
    });
    const onEvent = (event: ReadEvent): void => this.#onSign(event);
    this.#unsubscribe = [channel, channels.lease(run)].map((name) => hub.channel(name).subscribe(onEvent));
  }

  /** The log has shown a sign of life: the lease begins now. `undefined` if the log could not be read. */
  begin(offset: number | undefined): void {
    this.offset = offset;
    this.#since = now();
  }

  /** Resolves a lease after the newest sign, and when the watch is closed. */
  lease(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer.set(this.#since + this.#leaseMs);
    });
  }

  close(): void {
    this.#isOpen = false;
    this.#timer.stop();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#resolve();
  }

  #onSign({ kind, cursor }: ReadEvent): void {
    if (kind !== "event") return;
    const offset = parseCursor(cursor)?.offset ?? 0;
    this.offset = Math.max(this.offset ?? 0, offset);
    this.#since = now();
  }
}
