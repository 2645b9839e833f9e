// The errors of the package, their codes, and the form in which messages quote values.

/**
 * The code of every error of this package, with its meaning. Codes are stable, so a program may branch on them. Messages are
 * for people and may change.
 */
export const errorCodes = {
  ERR_SSE_TYPE: "An event type that cannot be written or is reserved",
  ERR_SSE_DATA: "Data that cannot be serialized, written or read back",
  ERR_SSE_ID: "An event id with characters, or of a length, that browsers do not send back",
  ERR_SSE_RETRY: "A reconnection time that is not a whole number of milliseconds from 1 on",
  ERR_SSE_COMMENT: "A comment that cannot be written",
  ERR_SSE_OPTION: "An option that is unknown, or has a value that is not allowed",
  ERR_SSE_ARGUMENT: "An argument other than the request, response or source that was expected",
  ERR_SSE_RENDER: "A render function that did not return a string",
  ERR_SSE_RESPONSE_USED: "A response that was requested twice, or that has been sent already",
  ERR_SSE_PIPE: "A value that cannot be piped",
  ERR_SSE_CHANNEL: "A channel name that is not allowed",
  ERR_SSE_CONTRACT: "An event that the contract does not declare, or data that its schema rejects",
  ERR_SSE_CURSOR: "A string that is not a cursor of this log",
  ERR_SSE_LIMIT: "An event, or a subscription, over one of the limits",
  ERR_SSE_CONFLICT: "Another event was published after the position that a publisher expected",
  ERR_SSE_LOG: "A log that cannot store or read",
  ERR_SSE_STREAM: "A stream that a client could not open, or lost",
  ERR_SSE_TIMEOUT: "A callback or a log that did not answer within its deadline",
  ERR_SSE_CLOSED: "A hub or log that was used after it was closed",
} as const;

/** One of the keys of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes;

/** Shared by every copy of the package in a process, so that `instanceof` holds across copies. */
const brand: symbol = Symbol.for("sourcecast.error");

/**
 * An error of this package. It has a stable `code`, and a message that says what was found, what is allowed and what to do.
 *
 * @example
 * ```ts
 * import { EventSource, SourcecastError } from "sourcecast";
 *
 * const source = new EventSource(new Request("http://localhost/events"));
 * try {
 *   source.dispatch("price\nupdate", 1);
 * } catch (error) {
 *   if (error instanceof SourcecastError) console.log(error.code); // ERR_SSE_TYPE
 * }
 * await source.close();
 * ```
 */
export class SourcecastError extends Error {
  /** The stable code. */
  readonly code: ErrorCode;

  static {
    Object.defineProperty(SourcecastError.prototype, brand, { value: true });
  }

  /**
   * @param code The stable code.
   * @param message The value that was found, the allowed ones, and what to do.
   * @param options The `cause`.
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SourcecastError";
    this.code = code;
  }

  /** True for errors of other copies of the package too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== SourcecastError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && brand in value;
  }
}

/**
 * Thrown at a limit on connections, before anything is sent. Do not answer the request with an error status: it stops a
 * native `EventSource` forever.
 */
export class OverloadError extends SourcecastError {
  /** @param message The limit, and the number that exceeds it. */
  constructor(message: string) {
    super("ERR_SSE_LIMIT", message);
    this.name = "OverloadError";
  }
}

/**
 * A log whose store cannot be reached or failed. A publisher learns from `stored` whether its events are in the log.
 *
 * @example
 * ```ts
 * import { createHub, LogError } from "sourcecast";
 *
 * await using hub = createHub();
 * try {
 *   await hub.channel("news").dispatch("headline", "Rain tomorrow", { idempotencyKey: "headline 7" });
 * } catch (error) {
 *   // false or "unknown". In both cases, trying again with the same idempotencyKey is safe.
 *   if (error instanceof LogError) console.log(`stored: ${error.stored}`);
 * }
 * ```
 */
export class LogError extends SourcecastError {
  /** `false` when nothing was stored; `"unknown"` when the entries may still appear, once. `false` for failed reads. */
  readonly stored: false | "unknown";

  /**
   * @param message What failed, and what can be done about it.
   * @param stored Whether the entries of the append may be in the log.
   * @param options The `cause`.
   */
  constructor(message: string, stored: false | "unknown", options?: ErrorOptions) {
    super("ERR_SSE_LOG", message, options);
    this.name = "LogError";
    this.stored = stored;
  }

  /** True for errors of other copies of the package too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== LogError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return value instanceof SourcecastError && value.code === "ERR_SSE_LOG" && "stored" in value;
  }
}

/** An error about an argument: a `TypeError` as well as a {@link SourcecastError}. */
export class SourcecastTypeError extends TypeError {
  /** The stable code. */
  readonly code: ErrorCode;

  static {
    Object.defineProperty(SourcecastTypeError.prototype, brand, { value: true });
  }

  /**
   * @param code The stable code.
   * @param message The value that was found, the allowed ones, and what to do.
   * @param options The `cause`.
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SourcecastTypeError";
    this.code = code;
  }

  /** True for errors of other copies of the package too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== SourcecastTypeError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return value instanceof TypeError && brand in value;
  }
}

/** The error of an option whose value is not allowed. `allowed` describes the values that are: "true or false". */
export function optionError(name: string, value: unknown, allowed: string): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_OPTION", `The option ${name} is ${quote(value)}; it takes ${allowed}`);
}

/** A value as error messages show it: short, on one line, with control characters escaped. */
export function quote(value: unknown): string {
  if (typeof value === "object") return describeObject(value);
  if (typeof value === "function") return "a function";
  const isString = typeof value === "string";
  const text = isString ? JSON.stringify(value) : String(value);
  if (text.length <= 80) return text;
  // The length of the value, without its quotes and escapes.
  const { length } = isString ? value : text;
  return `${text.slice(0, 76)}…${isString ? '"' : ""} (${length} characters)`;
}

function describeObject(value: object | null): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return name && name !== "Object" ? `an instance of ${name}` : "an object";
}
