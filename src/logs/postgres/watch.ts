// Notices that other processes have changed the log: at once by notifications, and otherwise by asking.
import { runDetached } from "../../base/async-context.ts";
import { now, WakeTimer } from "../../base/clock.ts";
import type { Connection } from "./connection.ts";

/** How often to ask although notifications arrive: they may be lost with their connection. Less than the second of the contract. */
const trustedPollMs = 900;
/** How long to wait before a connection that could not listen, or was lost, is tried again. */
const listenRetryMs = 2_000;

/** Called by a {@link Watch}. */
export interface WatchHandlers {
  /** There may be something new. */
  onChange(): void;
  /** The payload of this process's notifications. Its tails have got what they announce by the answers to its appends. */
  readonly own: string;
  /** Sends a notification. */
  notify(): Promise<unknown>;
}

/**
 * One watch over a log, while it has tails. It listens on a connection of its own, and trusts it once a notification has
 * arrived there: through PgBouncer, `LISTEN` succeeds and nothing ever arrives. Without a trusted connection, the log is polled.
 */
export class Watch {
  readonly #connection: Connection;
  /** The channel of `NOTIFY`, as it was named in the schema. */
  readonly #channel: string;
  readonly #pollMs: number;
  readonly #handlers: WatchHandlers;
  /** For the next poll. It does not keep the process alive. */
  readonly #timer = new WakeTimer(() => this.#poll());
  #isRunning = false;
  /** A notification has arrived on the present connection. */
  #isTrusted = false;
  #stopListening: (() => void) | null = null;
  /** `#listen()` is under way: it may take as long as a connection does. */
  #isConnecting = false;
  /** When to listen again, at the earliest. */
  #listenAt = 0;
  /** There was a notification since the last poll. */
  #wasNotified = false;
  /** A tail found entries, and no notification has announced them yet. */
  #isUnannounced = false;

  /**
   * @param connection Where to listen; `null` for a log that is only polled.
   * @param pollMs How often to ask without notifications, in milliseconds.
   */
  constructor(connection: Connection | null, channel: string, pollMs: number, handlers: WatchHandlers) {
    this.#connection = connection as Connection;
    this.#channel = channel;
    this.#pollMs = pollMs;
    this.#handlers = handlers;
    if (connection === null) this.#listenAt = Number.POSITIVE_INFINITY;
  }

  /** True while notifications arrive. */
  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  /** Calling it again does nothing, so each tail may call it. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#schedule();
    void this.#listen();
  }

  stop(): void {
    this.#isRunning = false;
    this.#isTrusted = false;
    this.#timer.stop();
    this.#stopListening?.();
    this.#stopListening = null;
  }

  /** A tail has read. Entries that no notification announced show that the connection is not to be trusted. */
  onRead(hasEntries: boolean): void {
    if (hasEntries && !this.#wasNotified) this.#isUnannounced = true;
  }

  /** Asks, whatever notifications say: they may be lost with their connection. */
  #poll(): void {
    if (!this.#isRunning) return;
    this.#wasNotified = false;
    // A notification may come a moment after a poll has found its entries, but not as late as the next poll.
    if (this.#isUnannounced && this.#isTrusted) {
      this.#lose();
      return;
    }
    // Tried at most once in two seconds, whatever the interval of the polls is.
    if (this.#stopListening === null && now() >= this.#listenAt) void this.#listen();
    this.#schedule();
    this.#handlers.onChange();
  }

  /** The notification that it sends itself is the test of the connection. */
  async #listen(): Promise<void> {
    if (this.#isConnecting || this.#listenAt === Number.POSITIVE_INFINITY) return;
    this.#isConnecting = true;
    this.#listenAt = now() + listenRetryMs;
    try {
      const stop = await runDetached(() =>
        this.#connection.listen(
          this.#channel,
          (payload) => this.#onNotify(payload),
          () => this.#lose(),
        ),
      );
      // The last tail may have ended while the connection was being opened.
      if (!this.#isRunning) {
        stop();
        return;
      }
      this.#stopListening = stop;
      await this.#handlers.notify();
    } catch {
      // Polled until it succeeds. The tails report a server that cannot be reached.
    } finally {
      this.#isConnecting = false;
    }
  }

  /** The first one proves that notifications arrive here. */
  #onNotify(payload: string): void {
    if (!this.#isRunning) return;
    this.#isTrusted = true;
    this.#wasNotified = true;
    this.#isUnannounced = false;
    if (payload !== this.#handlers.own) this.#handlers.onChange();
  }

  /** Polls from now on, and listens again in a moment. */
  #lose(): void {
    this.#isTrusted = false;
    this.#isUnannounced = false;
    this.#stopListening?.();
    this.#stopListening = null;
    this.#listenAt = now() + this.#pollMs;
    if (!this.#isRunning) return;
    this.#schedule();
    // Entries may have come while the connection was lost.
    this.#handlers.onChange();
  }

  #schedule(): void {
    this.#timer.set(now() + (this.#isTrusted ? trustedPollMs : this.#pollMs));
  }
}
