// Runs the scripts of the log: by their hash, with a deadline, and with errors that say what is known of the outcome.
import { runDetached } from "../../base/async-context.ts";
import { LogError } from "../../base/errors.ts";
import { TimeLimit } from "../../base/time-limit.ts";
import type { Connect, Connection } from "./client.ts";
import { explain, isRefusal, mayRetry } from "./errors.ts";

/** How long a reply may take. Only a server that is paused or cut off takes longer. */
const replyTimeoutMs = 3_000;

/**
 * A script, which Redis keeps under the hash of its text.
 *
 * It returns its last argument, a number of the call, in front of its result. That detects a client that confuses
 * replies, as node-redis 5.12 does after some reconnects: the reply to another call would be mistaken for this one's.
 */
export class Script {
  readonly text: string;
  /** It gets so many of the keys, from the first one. In a cluster, a script may use only keys that are passed to it. */
  readonly keys: number | undefined;
  #hash: Promise<string> | string | null = null;

  /**
   * @param body The text, whose `return` gives the result.
   * @param keys The number of keys that it gets. @default all of them
   */
  constructor(body: string, keys?: number) {
    this.keys = keys;
    this.text = `local CALL = ARGV[#ARGV]\nARGV[#ARGV] = nil\nlocal function main()\n${body}\nend\nreturn {CALL, main()}\n`;
  }

  /** Computed here, as Redis computes it: no call is needed to learn it. Only the first one who asks has to wait. */
  get hash(): Promise<string> | string {
    this.#hash ??= sha1(this.text).then((hash) => {
      this.#hash = hash;
      return hash;
    });
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
  async run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    const number = String(++this.#count);
    const { hash, keys = this.#keys.length } = script;
    // A known hash is used without an await, which would delay an event that is published alone.
    const rest = ["EVALSHA", typeof hash === "string" ? hash : await hash, String(keys)];
    for (let index = 0; index < keys; index++) rest.push(this.#keys[index] as string);
    for (const arg of args) rest.push(String(arg));
    rest.push(number);
    let reply: unknown;
    try {
      reply = await this.send(rest);
    } catch (error) {
      // The server was restarted, replaced, or told to forget all scripts.
      if (!(error instanceof LogError) || !isNoScript(error.cause)) throw error;
      reply = await this.send(["EVAL", script.text, ...rest.slice(2)]);
    }
    if (!Array.isArray(reply) || String(reply[0]) !== number) {
      this.#drop(this.#connection);
      throw mayRetry(new LogError("The client of Redis returned the reply to another command", "unknown"));
    }
    return reply[1];
  }

  /**
   * Sends one command, and resolves with its reply.
   *
   * Opening the connection has a deadline of its own. An error until then is certain: nothing was sent.
   */
  async send(args: readonly string[]): Promise<unknown> {
    const connecting = this.#connection ?? this.#open();
    let isSent = false;
    try {
      const connection = this.#opened ?? (await this.#limit.limit(connecting));
      isSent = true;
      return await this.#limit.limit(connection.call(this.#key, args));
    } catch (error) {
      const explained = explain(error, isSent);
      // A connection that was refused is not one. Nor is one in order that has failed otherwise.
      if (!isSent || !isRefusal(explained)) this.#drop(connecting);
      throw explained;
    }
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

/** Scripts within scripts do not occur here, so the word is that of the server. */
function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOSCRIPT");
}

/** In hexadecimal. The Web Crypto API is there on every runtime, `node:crypto` is not. */
async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
