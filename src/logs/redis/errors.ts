// The errors of clients and servers, as errors of a log: what failed, whether it may be stored, whether to try again.
import { LogError, SourcecastError } from "../../base/errors.ts";

/** A reply begins with such a word when it is an error. */
const replyCode = /^-?([A-Z][A-Z]+) /;

/**
 * With these, the server refused a command before it did anything, and will not do so for long: it loads its data, it was
 * the primary before, a failover or a resharding is under way, another script runs.
 */
const passing = new Set([
  "LOADING",
  "READONLY",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "BUSY",
  "MOVED",
  "ASK",
  "UNBLOCKED",
]);

/** The remedies for other refusals. */
const remedies: Readonly<Record<string, string>> = {
  OOM: "its memory is full: raise maxmemory, or lower maxEvents or maxBytes",
  MISCONF: "it cannot write its data to the disk, which may be full",
  NOREPLICAS: "too few replicas are connected for its min-replicas-to-write",
  FOREIGN: "another program writes to its stream: use another key for the log",
  NOPERM:
    "its user may not do that: allow it the keys of the log, and all commands of streams, hashes, sorted sets and scripts",
  NOAUTH: "the client has to pass a password",
  WRONGPASS: "the user or the password of the client is wrong",
  WRONGTYPE: "a key of the log holds something else: use another key",
};

/** Errors after which the same call may succeed. */
const retryable = new WeakSet<object>();
/** Errors with which the server answered. */
const refusals = new WeakSet<object>();

/** Whether to try again after an error that {@link explain} has made. */
export function canRetry(error: unknown): boolean {
  return typeof error === "object" && error !== null && retryable.has(error);
}

/** Whether the server itself refused the call, so that the connection is in order. */
export function isRefusal(error: unknown): boolean {
  return error instanceof LogError && refusals.has(error);
}

/** How servers say that a user may not run a command of a script; and how they say that one could not be completed before. */
const unfinished = /can't run this command|ACL failure in script|equal or smaller than the target/;

/**
 * Whether a script may have ended in the middle, because a right that it had at the start of the log was taken away.
 *
 * Redis does not undo the commands before the one that it refused.
 */
export function isUnfinished(error: unknown): boolean {
  return isRefusal(error) && unfinished.test((error as LogError).message);
}

/**
 * The error of a log for that of a client.
 *
 * @param isSent Whether the server may have received the call.
 */
export function explain(error: unknown, isSent: boolean): SourcecastError {
  if (error instanceof SourcecastError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = replyCode.exec(message)?.[1];
  if (code !== undefined && isAboutScript(code, message)) return refusal(code, message, error);
  return mayRetry(new LogError(`Redis cannot be reached: ${message}`, isSent ? "unknown" : false, { cause: error }));
}

/** Says that another attempt may succeed. */
export function mayRetry<Failure extends LogError>(error: Failure): Failure {
  retryable.add(error);
  return error;
}

/**
 * Scripts check before they write, so such an error means that nothing was written. Any other one may be the reply to another
 * command, as node-redis 5.12 gives it after a reconnect: `ERR unknown subcommand 'SETINFO'`, of its own greeting.
 */
function isAboutScript(code: string, message: string): boolean {
  return code !== "ERR" || /script|unknown command/i.test(message);
}

/** The message of the server comes last: it may be long, and names the script. */
function refusal(code: string, message: string, cause: unknown): LogError {
  const remedy = remedies[code];
  const error = new LogError(`Redis refused a command${remedy ? `, ${remedy}` : ""}: ${message}`, false, { cause });
  refusals.add(error);
  return passing.has(code) ? mayRetry(error) : error;
}
