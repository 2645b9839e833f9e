// Reports on standard error: what happens to the connection, one line each.
import { styleText } from "node:util";
import type { StreamError } from "../client/errors.ts";
import type { StreamClosed, StreamLoss, StreamStatus } from "../client/events.ts";
import { readKeepAlive } from "../wire/preamble.ts";
import { visible } from "./format.ts";

/** How much is reported: `quiet` leaves only errors, `verbose` adds response headers and comments. */
export interface Verbosity {
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/**
 * Reports what happens to one stream. Reports begin with a star, as those of `curl --verbose`, so they cannot be mistaken for
 * events where both streams go to one terminal. They are dim, colored only where the user may have to act.
 */
export class Reports {
  readonly #stream: NodeJS.WritableStream;
  readonly #verbosity: Verbosity;
  #opened = false;
  /** The first keep-alive of a connection is reported: it shows that an idle stream is alive. */
  #sawKeepAlive = false;

  constructor(stream: NodeJS.WritableStream, verbosity: Verbosity) {
    this.#stream = stream;
    this.#verbosity = verbosity;
    // A standard error that is closed must not end the command.
    stream.on("error", () => {});
  }

  /** The end of the command by an error. */
  error(text: string): void {
    this.#stream.write(`sourcecast: ${visible(text)}\n`);
  }

  /** Response headers are what one looks for first when a proxy buffers or a cookie is missing. */
  onResponse({ status, statusText, headers, redirected, url }: Response): void {
    if (!this.#verbosity.verbose) return;
    if (redirected) this.#report(`redirected to ${url}`);
    this.#report(`${status} ${statusText}`);
    for (const [name, value] of headers) this.#report(`${name}: ${value}`);
  }

  /** @param now Unix time in milliseconds, with which the time of the next attempt is compared. */
  onStatus({ state, attempt, retryAt, error }: StreamStatus, now: number): void {
    if (state === "connecting") this.#sawKeepAlive = false;
    if (state === "open") {
      this.#report(this.#opened ? "open again" : "open", "green");
      this.#opened = true;
    }
    if (state === "stale") this.#report("the keep-alive is late", "yellow");
    if (state === "retrying" || state === "offline") {
      const reason = error === undefined ? "the connection has ended" : reasonOf(error);
      const failures = attempt > 1 ? ` (attempt ${attempt})` : "";
      this.#report(`retrying in ${timeOf((retryAt ?? now) - now)}${failures}: ${reason}`, "yellow");
    }
  }

  /** An announcement is reported once for each connection, as is the first keep-alive: later ones say nothing new. */
  onComment(text: string): void {
    const interval = readKeepAlive(text);
    if (interval !== null && !this.#sawKeepAlive)
      this.#report(`the server sends a keep-alive every ${timeOf(interval)}`);
    else if (this.#verbosity.verbose) this.#report(`comment: ${text}`);
    else if (!this.#sawKeepAlive && text !== "open") this.#report("keep-alive received");
    else return;
    if (text !== "open") this.#sawKeepAlive = true;
  }

  /** A gap of one channel may be smaller than that of the log, which is the number that the server knows. */
  onLoss(loss: StreamLoss): void {
    const most = loss.kind === "gap" && !loss.exact ? "at most " : "";
    const what = loss.kind === "reset" ? "reset, the position is not one of this log" : `gap of ${most}${loss.missed}`;
    this.#report("reason" in loss ? `${what}: ${loss.reason}` : what, "red");
  }

  /** Why the stream is over, where neither the user nor an option ended it. */
  onClosed({ reason, error }: StreamClosed): void {
    if (error !== undefined) this.error(reasonOf(error));
    else if (reason === "ended") this.#report("the server has ended the stream");
  }

  /** @param position Where a later run can continue. */
  onLeave(position: string): void {
    this.#report(`to continue from here: --after ${position}`);
  }

  #report(text: string, color: "green" | "yellow" | "red" | "dim" = "dim"): void {
    if (this.#verbosity.quiet) return;
    this.#stream.write(`${styleText(color, `* ${visible(text)}`, { stream: this.#stream })}\n`);
  }
}

/**
 * Node's `fetch` fails with "fetch failed", and has the reason in a cause, or in the first of several. The other errors of a
 * stream say what to do, which their causes do not.
 */
export function reasonOf(error: StreamError): string {
  let reason: string = error.message;
  if (error.failure !== "network") return reason;
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    const first = cause instanceof AggregateError ? (cause.errors[0] as Error | undefined) : cause;
    reason = first?.message || reason;
  }
  return reason;
}

/** Milliseconds as people write them: `800 ms`, `2 s`, `1.5 min`. */
export function timeOf(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = milliseconds / 1_000;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Number((seconds / 60).toFixed(1))} min`;
}
