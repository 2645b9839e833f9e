// Runs the scripts of the log: by their hash, with a deadline, and with errors that say what is known of the outcome.
import { now, WakeTimer } from "../../base/clock.ts";
import { LogError } from "../../base/errors.ts";
import type { Connection } from "./client.ts";
import { explain } from "./errors.ts";

/** How long a reply may take. Only a server that is paused or cut off takes longer. */
const replyTimeoutMs = 3_000;

/** A script, which Redis keeps under the hash of its text. */
export class Script {
  readonly text: string;
  #hash: Promise<string> | null = null;

  constructor(text: string) {
    this.text = text;
  }

  get hash(): Promise<string> {
    this.#hash ??= sha1(this.text);
    return this.#hash;
  }
}

/** The commands of one connection, on the keys of one log. */
export class Commands {
  readonly #connection: Connection;
  readonly #keys: readonly string[];
  readonly #key: string;
  /** In the order of their deadlines. */
  readonly #pending = new Set<Pending>();
  readonly #timer = new WakeTimer((time) => this.#expire(time));

  constructor(connection: Connection, keys: readonly string[]) {
    this.#connection = connection;
    this.#keys = keys;
    this.#key = keys[0] as string;
  }

  /** @throws {LogError} with `stored: "unknown"` unless the server itself refused the call. */
  async run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    const rest = [String(this.#keys.length), ...this.#keys, ...args.map(String)];
    const hash = await script.hash;
    try {
      return await this.send(["EVALSHA", hash, ...rest]);
    } catch (error) {
      // The server was restarted, replaced, or told to forget all scripts.
      if (!(error instanceof LogError) || !isNoScript(error.cause)) throw error;
      return this.send(["EVAL", script.text, ...rest]);
    }
  }

  /** Sends one command. */
  async send(args: readonly string[]): Promise<unknown> {
    try {
      return await this.#limit(this.#connection.call(this.#key, args));
    } catch (error) {
      throw explain(error);
    }
  }

  close(): void {
    this.#timer.stop();
    for (const { reject } of this.#pending) reject(new Error("The log was closed"));
    this.#pending.clear();
    this.#connection.close();
  }

  /** Clients wait for a connection to come back, or for a reply, for as long as it takes. */
  #limit<T>(reply: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending = { due: now() + replyTimeoutMs, reject };
      this.#pending.add(pending);
      this.#timer.set(pending.due);
      const settle = () => {
        this.#pending.delete(pending);
        if (this.#pending.size === 0) this.#timer.stop();
      };
      reply.then(resolve, reject);
      reply.then(settle, settle);
    });
  }

  #expire(time: number): void {
    for (const pending of this.#pending) {
      if (pending.due > time) {
        this.#timer.set(pending.due);
        return;
      }
      this.#pending.delete(pending);
      pending.reject(new Error(`No reply within ${replyTimeoutMs} ms`));
    }
  }
}

interface Pending {
  readonly due: number;
  reject(error: unknown): void;
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOSCRIPT");
}

async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
