// Runs the scripts of the log: by their hash, with a deadline, and with errors that say what is known of the outcome.
import { runDetached } from "../../base/async-context.ts";
import { LogError, type SourcecastError } from "../../base/errors.ts";
import { TimeLimit } from "../../base/time-limit.ts";
import type { Connect, Connection } from "./client.ts";
import { explain, isRefusal, mayRetry } from "./errors.ts";

/** How long a reply may take. Only a server that is paused or cut off takes longer. */
const replyTimeoutMs = 3_000;

/**
 * A script, which Redis keeps under the hash of its text.
 *
 * It returns a number of the call in front of its result, in a list or in one string: a list takes Redis a microsecond. That
 * detects a client that confuses replies, as node-redis 5.12 does after some reconnects: the reply to another call would be mistaken
 * for this one's.
 */
export class Script {
  readonly text: string;
  /** It gets so many of the keys, from the first one. In a cluster, a script may use only keys that are passed to it. */
  readonly keys: number | undefined;
  #hash: Promise<string> | null = null;

  /**
   * @param body The text, whose `return` gives the result. The number is taken off the end of its arguments first.
   * @param options `keys` is the number of keys that it gets, all of them by default. With `isNumbered`, the text itself finds
   * the number among its arguments, and returns it.
   */
  constructor(body: string, { keys, isNumbered = false }: { keys?: number; isNumbered?: boolean } = {}) {
    this.keys = keys;
    this.text = isNumbered
      ? body
      : `local CALL = ARGV[#ARGV]\nARGV[#ARGV] = nil\nlocal function main()\n${body}\nend\nreturn {CALL, main()}\n`;
  }

  /** Computed here, as Redis computes it: no call is needed to learn it. */
  get hash(): Promise<string> {
    this.#hash ??= sha1(this.text);
    return this.#hash;
  }
}

/**
 * The commands of one connection, on the keys of one log. The connection is opened with the first of them, and again after it
 * has failed: after an error that is not the server's own, nothing is known about the replies that are still to come.
 */
export class Commands {
  readonly #connect: Connect;
  readonly #keys: readonly string[];
  /** One of them, by which a cluster finds the node. */
  readonly #key: string;
  #connection: Promise<Connection> | null = null;
  /** The same one, once it is open. */
  #opened: Connection | null = null;
  #openings = 0;
  /** The arguments that the calls of a script begin with, once it has run. */
  readonly #prepared = new Map<Script, readonly string[]>();
  /** The number of the last call. */
  #count = 0;
  /**
   * Clients wait for as long as it takes, which is forever where packets disappear without a trace. It keeps the process alive: the
   * sockets do not, and a caller waits for the reply.
   */
  readonly #limit = new TimeLimit({
    timeoutMs: replyTimeoutMs,
    makeError: (timeoutMs) => new Error(`No reply within ${timeoutMs} ms`),
    keepsAlive: true,
  });

  constructor(connect: Connect, keys: readonly string[]) {
    this.#connect = connect;
    this.#keys = keys;
    this.#key = keys[0] as string;
  }

  /** How often a connection was opened: two calls with the same number of them in between were made on the same one. */
  get openings(): number {
    return this.#openings;
  }

  /**
   * Runs a script, and resolves with its result.
   *
   * @throws {LogError} with `stored: "unknown"` unless the server itself refused the call, or was not reached.
   */
  run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    // Numbers that callers give to their own calls have no letter.
    const number = `c${++this.#count}`;
    return this.runNumbered(script, number, [...args.map(String), number]);
  }

  /**
   * Runs a script with `isNumbered`. The number, which no other call has, is among the arguments.
   *
   * It adds a single promise to that of the client, because a lone event waits for every one of them.
   */
  runNumbered(script: Script, number: string, args: readonly string[]): Promise<unknown> {
    const opening = this.#prepared.get(script);
    if (opening === undefined) return this.#prepare(script).then(() => this.runNumbered(script, number, args));
    return this.#send(
      opening.concat(args),
      (reply) => this.#resultOf(reply, number),
      (error) => {
        // The server was restarted, replaced, or told to forget all scripts.
        if (!isNoScript(error.cause)) throw error;
        const command = ["EVAL", script.text, ...opening.slice(2), ...args];
        return this.#send(command, (reply) => this.#resultOf(reply, number));
      },
    );
  }

  /**
   * Sends one command, and resolves with its reply.
   *
   * Opening the connection has a deadline of its own. An error until then is certain: nothing was sent.
   */
  send(args: readonly string[]): Promise<unknown> {
    return this.#send(args, (reply) => reply);
  }

  async #prepare(script: Script): Promise<void> {
    const { hash, keys = this.#keys.length } = script;
    this.#prepared.set(script, ["EVALSHA", await hash, String(keys), ...this.#keys.slice(0, keys)]);
  }

  #resultOf(reply: unknown, number: string): unknown {
    if (typeof reply === "string" && reply.startsWith(`${number} `)) return reply.slice(number.length + 1);
    if (Array.isArray(reply) && String(reply[0]) === number) return reply[1];
    this.#drop(this.#connection);
    throw mayRetry(new LogError("The client of Redis returned the reply to another command", "unknown"));
  }

  #send(args: readonly string[], onReply: OnReply, onError: OnError = raise): Promise<unknown> {
    return this.#opened === null
      ? this.#sendLater(args, onReply, onError)
      : this.#sendOn(this.#opened, this.#connection, args, onReply, onError);
  }

  async #sendLater(args: readonly string[], onReply: OnReply, onError: OnError): Promise<unknown> {
    const connecting = this.#connection ?? this.#open();
    const connection = await this.#limit.limit(connecting, undefined, (error) => {
      this.#drop(connecting);
      throw explain(error, false);
    });
    return this.#sendOn(connection, connecting, args, onReply, onError);
  }

  #sendOn(
    connection: Connection,
    connecting: Promise<Connection> | null,
    args: readonly string[],
    onReply: OnReply,
    onError: OnError,
  ): Promise<unknown> {
    const onFailure = (error: unknown): unknown => {
      const explained = explain(error, true);
      // A connection is in order when the server itself refused the call.
      if (!isRefusal(explained)) this.#drop(connecting);
      return onError(explained);
    };
    // A client that is closed may throw.
    let work: Promise<unknown>;
    try {
      work = connection.call(this.#key, args);
    } catch (error) {
      work = Promise.reject(error);
    }
    return this.#limit.limit(work, onReply, onFailure);
  }

  /** Rejects the calls that wait for a reply. */
  close(): void {
    this.#limit.rejectAll(new Error("The log was closed"));
    this.#drop(this.#connection);
  }

  /** The connection outlives the request that happens to need it first, and must not keep that request's async context. */
  #open(): Promise<Connection> {
    this.#openings++;
    const connecting = runDetached(() => this.#connect());
    this.#connection = connecting;
    connecting.then(
      (connection) => {
        if (this.#connection === connecting) this.#opened = connection;
      },
      () => {},
    );
    return connecting;
  }

  /** Calls that wait for a reply are rejected with it. */
  #drop(connecting: Promise<Connection> | null): void {
    if (this.#connection === connecting) {
      this.#connection = null;
      this.#opened = null;
    }
    connecting?.then((connection) => connection.close()).catch(() => {});
  }
}

type OnReply = (reply: unknown) => unknown;
type OnError = (error: SourcecastError) => unknown;

function raise(error: SourcecastError): never {
  throw error;
}

/** Scripts within scripts do not occur here, so the word is that of the server. */
function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOSCRIPT");
}

/** In hexadecimal. The Web Crypto API is there on every runtime, `node:crypto` is not. */
async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
