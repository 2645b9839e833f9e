// The arguments of the command as settings, or an error that names the argument and its allowed values.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { quote } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { isControlType } from "../client/events.ts";
import { isEventId } from "../client/request.ts";

/** The settings of one run. */
export interface Settings {
  /** The address, absolute. */
  readonly url: string;
  readonly channels: readonly string[];
  /** The same name may occur more than once, as in curl. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** In upper case. */
  readonly method: string;
  /** Bytes, since a file may be anything. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** The position of the first request; empty for none. */
  readonly after: string;
  /** The file that keeps the position from one run to the next. */
  readonly resumeFile: string | undefined;
  /** Only these types are printed; empty for all. */
  readonly types: ReadonlySet<string>;
  /** How many events to print; `Infinity` without a limit. */
  readonly count: number;
  /** Milliseconds after which the command exits. */
  readonly timeout: number | undefined;
  /** Milliseconds that an open stream may be idle, where the server has announced no keep-alive. */
  readonly idle: number;
  /** False: the first end of the connection is the last. */
  readonly retry: boolean;
  /** Undefined: text on a terminal, JSON elsewhere, because the reader of a pipe or a file is usually a program. */
  readonly json: boolean | undefined;
  /** Reports only errors. */
  readonly quiet: boolean;
  /** Reports response headers and comments, too. */
  readonly verbose: boolean;
}

/** Arguments that the command cannot run with. The message is for the user, without a stack. */
export class UsageError extends Error {}

/**
 * The options as `parseArgs` takes them. Values arrive as text and are read below, so that each mistake gets a message
 * with the allowed values. {@link help} has a line for each.
 */
const options = {
  channel: { type: "string", multiple: true, short: "c" },
  header: { type: "string", multiple: true, short: "H" },
  data: { type: "string", short: "d" },
  method: { type: "string", short: "X" },
  after: { type: "string" },
  resume: { type: "string" },
  type: { type: "string", multiple: true, short: "t" },
  count: { type: "string", short: "n" },
  timeout: { type: "string" },
  idle: { type: "string" },
  retry: { type: "boolean" },
  json: { type: "boolean" },
  quiet: { type: "boolean", short: "q" },
  verbose: { type: "boolean", short: "v" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
} as const;

/** The default of `--idle`, that of `subscribe()`. */
const idleMs = 60_000;
/** The same for a request that is not repeated: a model may think for minutes before its first token. */
const idleOnceMs = 300_000;

/**
 * Reads the arguments, and the files that they name. A request that is not a GET is sent once by default: repeating a
 * POST might order, or pay, twice.
 *
 * @throws {UsageError} for arguments that are unknown or have values that are not allowed.
 */
export function readArguments(args: readonly string[]): Settings | "help" | "version" {
  const { values, positionals } = parse(args);
  if (values.help) return "help";
  if (values.version) return "version";
  const [address, ...more] = positionals;
  if (address === undefined) throw new UsageError("The address of the stream is missing");
  if (more.length > 0)
    throw new UsageError(`There are ${positionals.length} addresses; pass one, and quote "&" and "?"`);
  const headers = (values.header ?? []).map(readHeader);
  const url = readAddress(address);
  const credentials = takeCredentials(url);
  if (credentials !== undefined && !headers.some(([name]) => name.toLowerCase() === "authorization")) {
    headers.push(["authorization", credentials]);
  }
  const body = values.data === undefined ? undefined : readBody(values.data);
  const method = (values.method ?? (body === undefined ? "GET" : "POST")).toUpperCase();
  if (!/^(?!(CONNECT|HEAD|TRACE|TRACK)$)[A-Z]+$/.test(method)) {
    throw invalid("--method", values.method, "a method of HTTP such as GET or POST, whose responses have a body");
  }
  if (body !== undefined && method === "GET") {
    throw invalid("--method", values.method, "a method that has a body, since there is --data");
  }
  if (body !== undefined && !headers.some(([name]) => name.toLowerCase() === "content-type")) {
    headers.push(["content-type", contentTypeOf(body)]);
  }
  if (values.channel?.includes("")) throw invalid("--channel", "", "the name of a channel");
  // Control events are reported on standard error, whatever is printed.
  const noType = values.type?.find((type) => type === "" || isControlType(type));
  if (noType !== undefined) throw invalid("--type", noType, "the type of an event of the application, such as message");
  if (!isEventId(values.after ?? "")) throw invalid("--after", values.after, "a position, the id of an event");
  const retry = values.retry ?? method === "GET";
  return {
    url: url.href,
    channels: values.channel ?? [],
    headers,
    method,
    body,
    after: values.after ?? "",
    resumeFile: values.resume,
    types: new Set(values.type),
    count: values.count === undefined ? Number.POSITIVE_INFINITY : readCount(values.count),
    timeout: values.timeout === undefined ? undefined : readTime("--timeout", values.timeout),
    idle: values.idle === undefined ? (retry ? idleMs : idleOnceMs) : readTime("--idle", values.idle),
    retry,
    json: values.json,
    quiet: values.quiet ?? false,
    verbose: values.verbose ?? false,
  };
}

// --- helpers ---

type Parsed = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;

/**
 * Node words its errors for programmers: they name the configuration of `parseArgs`, and advise against mistakes that
 * are not the likely ones. The code of an error says which it is, and its text names the option.
 */
function parse(args: readonly string[]): Parsed {
  try {
    // `--no-json` and `--no-retry` are the only negations with a meaning; the others are harmless.
    return parseArgs({ args: [...args], options, allowPositionals: true, allowNegative: true });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const name = /'(?:-\w, )?(-[^'= ]*)/.exec(message)?.[1] ?? "";
    if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") throw new UsageError(`The option ${name} ${misuseOf(name)}`);
    const nearest = nearestName(name.replace(/^-+(no-)?/, ""), Object.keys(options));
    const remedy = nearest === undefined ? "" : `; did you mean --${nearest}?`;
    throw new UsageError(`The option ${name.slice(0, 80)} is unknown${remedy}`);
  }
}

/** Why an option that exists is wrong: it has a value and takes none, or the other way around. */
function misuseOf(name: string): string {
  const isFlag = (options as Record<string, { type: string }>)[name.replace(/^-+/, "")]?.type === "boolean";
  return isFlag ? "takes no value" : `takes a value; write ${name}=VALUE for one that begins with a dash`;
}

/** As an error about an option of the library reads. */
function invalid(name: string, value: unknown, allowed: string): UsageError {
  return new UsageError(`The option ${name} is ${quote(value)}; it takes ${allowed}`);
}

/**
 * As curl, takes an address without a scheme for one of `http`. `new URL("localhost:3000")` would be valid, with `localhost:`
 * as its scheme, so this checks for a scheme first.
 */
function readAddress(text: string): URL {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.parse(address);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw new UsageError(`The address is ${quote(text)}; it has to be one of http or https`);
}

/** `fetch` rejects an address with a name and a password, which curl sends as the header that this returns (RFC 7617). */
function takeCredentials(url: URL): string | undefined {
  const { username, password } = url;
  if (username + password === "") return undefined;
  url.username = "";
  url.password = "";
  try {
    return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64")}`;
  } catch {
    throw new UsageError('The address has a name or a password with a "%" that begins no code; write it as %25');
  }
}

/** `Headers` knows which characters are allowed. The value may be empty, as a server may want it. */
function readHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  const header: [string, string] = [line.slice(0, colon), line.slice(colon + 1).trim()];
  try {
    if (colon > 0) new Headers([header]);
  } catch {
    throw invalid("--header", line, 'a line such as "authorization: Bearer TOKEN"');
  }
  if (colon > 0) return header;
  throw invalid("--header", line, 'a line such as "authorization: Bearer TOKEN"');
}

/** As in curl, `@` means a file, and `@-` standard input, which is read to its end before the request is sent. */
function readBody(text: string): Uint8Array<ArrayBuffer> {
  if (!text.startsWith("@")) return new TextEncoder().encode(text);
  try {
    return new Uint8Array(readFileSync(text === "@-" ? 0 : text.slice(1)));
  } catch (error) {
    throw new UsageError(`The option --data is ${quote(text)}, which cannot be read: ${(error as Error).message}`);
  }
}

/**
 * Most bodies are JSON, and most servers reject JSON without its content type. `name=value&name=value` is a form, as curl sends
 * everything: a hub reads its channels from one, for example.
 */
function contentTypeOf(body: Uint8Array): string {
  const text = new TextDecoder().decode(body);
  try {
    JSON.parse(text);
    return "application/json";
  } catch {
    const isForm = /^[^\s=&]+=[^\s=&]*(?:&[^\s=&]+=[^\s=&]*)*$/.test(text);
    return isForm ? "application/x-www-form-urlencoded" : "text/plain;charset=UTF-8";
  }
}

/** Digits only: `Number` would accept `1e3` and `0x10`, which are more likely mistakes. */
function readCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw invalid("--count", text, "a whole number from 1 on");
}

/** A unit is required: `--timeout 10` is ten seconds for curl, and would be ten milliseconds here. */
function readTime(name: string, text: string): number {
  try {
    const time = milliseconds(text as Duration, name);
    if (time > 0) return time;
  } catch {
    // The error of the library speaks of numbers, which an argument cannot be.
  }
  throw invalid(name, text, 'a time above zero with its unit, such as "500ms", "10s" or "5m"');
}
