// Failures of the database: whether it helps to try again, and what to do about them, by SQLSTATE and the codes of clients.
import { LogError, SourcecastError, SourcecastTypeError } from "../../base/errors.ts";
import { NoAnswerError, NotSentError } from "./connection.ts";

/** Raised by functions of the schema. */
const wrongIsolation = "SC001";

/** The tables or functions are gone, or are those of another version. */
export function isOtherSchema(error: unknown): boolean {
  return /^(42P01|42883|3F000|42703|42704)$/.test(codeOf(error));
}

/** True when the same statement may succeed a moment later: a lost connection, a failover, a conflict between transactions. */
export function isPassing(error: unknown): boolean {
  const cause = error instanceof LogError ? error.cause : error;
  // The log cannot use what it has found.
  if (cause === undefined) return false;
  // A wrong password or database does not become right by waiting, unlike a server that is not there yet.
  if (cause instanceof NotSentError) return !/^(28|3D)/.test(codeOf(cause.cause));
  if (cause instanceof SourcecastError) return false;
  // Transaction rollback, a replica, too many connections, a lock, a canceled statement, a shutdown.
  return isLost(cause) || isOtherSchema(cause) || /^(40|25006|53300|55P03|57014|57P)/.test(codeOf(cause));
}

/** True when it is not known whether the statement was executed. */
function isLost(error: unknown): boolean {
  if (error instanceof NotSentError || error instanceof SourcecastError) return false;
  const { severity } = (error ?? {}) as { severity?: unknown };
  // An answer with a code is final: the statement was rolled back.
  // Without a code of the server, the connection has failed. FATAL ends it, which may be after the commit.
  return (
    error instanceof NoAnswerError ||
    !/^[0-9A-Z]{5}$/.test(codeOf(error)) ||
    severity === "FATAL" ||
    severity === "PANIC"
  );
}

/** The error of a client as one that says what to do. Errors of this package stay as they are. */
export function explain(error: unknown, schema: string): SourcecastError | SourcecastTypeError {
  if (error instanceof SourcecastError || error instanceof SourcecastTypeError) return error;
  const cause = error instanceof NotSentError ? error.cause : error;
  // Clients reject with other values only by mistake.
  const found = error instanceof Error ? error.message : String(error);
  // The text of the server comes last: it says more than any advice, and may be in another language.
  const advice = adviceFor(codeOf(cause), schema, error instanceof NotSentError || isLost(error));
  return new LogError(`${advice} (PostgreSQL: ${found})`, isLost(error) ? "unknown" : false, { cause: error });
}

/** The advice for a failure. The codes are those of PostgreSQL's appendix A. */
function adviceFor(code: string, schema: string, isUnreachable: boolean): string {
  const log = `The log in the schema ${JSON.stringify(schema)}`;
  if (code === wrongIsolation) {
    return (
      `${log} needs transactions that are read committed, but this user has another isolation level by default; give the log a ` +
      'pool of its own with the option options: "-c default_transaction_isolation=read\\\\ committed"'
    );
  }
  if (code === "42501") {
    return `${log} cannot be used with the privileges of this user; grant it USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on its tables`;
  }
  if (/^28/.test(code))
    return `${log} cannot be reached: the server rejects the user or the password of the pool; correct them`;
  if (code === "3D000") return `${log} cannot be reached: the database does not exist; create it, or correct the pool`;
  if (code === "53100")
    return `There is no room left for ${log.toLowerCase()}, and nothing was stored; free space on the server's disk`;
  if (code === "53300")
    return `${log} cannot be reached: the server has too many connections; raise max_connections, or use a pooler`;
  if (code === "25006")
    return `${log} cannot be written to: the server is a replica or read-only; connect to the primary`;
  if (isOtherSchema({ code }))
    return `${log} was removed or changed while it was in use; if a newer version did that, restart this process with it`;
  if (isUnreachable)
    return `${log} cannot be reached; make sure that the server runs and that the pool's address is right`;
  return `${log} failed`;
}

/** The SQLSTATE, or the code of the client or of the system, or an empty text. */
function codeOf(error: unknown): string {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  // Bun has the SQLSTATE in `errno`.
  const sqlState = typeof errno === "string" && /^[0-9A-Z]{5}$/.test(errno) ? errno : code;
  return typeof sqlState === "string" ? sqlState : "";
}
