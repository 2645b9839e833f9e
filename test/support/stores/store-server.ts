/** A real server of a database, with its data in a folder of its own: killed, paused and restarted by a test. */
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "../../../scripts/lib/programs.mjs";
import { findStore, storeInstruction, type stores } from "../../../scripts/lib/stores.mjs";
import { eventually } from "../deadline.ts";
import { freePort, ServerProcess } from "../server-process.ts";

/** Where a server listens, and where its data is. */
export interface StorePlace {
  readonly port: number;
  readonly folder: string;
}

/** One kind of server. Everything that it writes MUST be in the folder, and it MUST run in the foreground. */
export interface StoreKind {
  readonly name: (typeof stores)[number];
  /** The arguments of a start: the first one, or the next one on the same data. */
  args(place: StorePlace): readonly string[];
  /** Creates the data, once, before the first start. */
  prepare?(place: StorePlace, program: string): Promise<void>;
  /** Whether it answers, which a server that loads its data does not do yet. @default it listens */
  isReady?(place: StorePlace): Promise<boolean>;
  /** How it says that processes of a server that was killed still use its data. @default it never does */
  readonly leftover?: RegExp | undefined;
  /** The size at which its files cannot grow any further, as on a full disk, in bytes. @default no limit */
  readonly maxFileBytes?: number | undefined;
  /** It refuses to run as root, and is run as this user then. @default the user of the tests */
  readonly unprivileged?: { readonly uid: number; readonly gid: number };
}

export class StoreServer implements AsyncDisposable {
  readonly kind: StoreKind;
  readonly port: number;
  readonly folder: string;
  #process: ServerProcess | null = null;

  /** Starts a server with no data. */
  static async start(kind: StoreKind): Promise<StoreServer> {
    const folder = mkdtempSync(join(tmpdir(), `sourcecast-${kind.name}-`));
    const { unprivileged } = kind;
    if (unprivileged !== undefined && isRoot()) chownSync(folder, unprivileged.uid, unprivileged.gid);
    const server = new StoreServer(kind, await freePort(), folder);
    try {
      await kind.prepare?.(server, server.#program());
      await server.restart();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(kind: StoreKind, port: number, folder: string) {
    this.kind = kind;
    this.port = port;
    this.folder = folder;
  }

  /** Starts it again on the same port and the same data, after it was stopped or killed. */
  async restart(): Promise<void> {
    const { kind, port, folder } = this;
    const [program, ...args] = commandOf(kind, limited(kind, [this.#program(), ...kind.args(this)]));
    const start = () => ServerProcess.start({ program: program as string, args, cwd: folder, port });
    const isEnding = (error: unknown) => kind.leftover?.test(String(error)) === true;
    // The children of a server that was killed end a moment later, on a busy machine a long moment.
    const attempt = () => start().catch((error: unknown) => (isEnding(error) ? null : Promise.reject(error)));
    this.#process = await eventually(`${kind.name} starts`, attempt, (started) => started !== null, 30_000);
    await eventually(`${kind.name} answers`, async () => (await kind.isReady?.(this)) ?? true, Boolean, 30_000);
  }

  /** It no longer gets the processor: connections stay open, and nothing is answered. */
  pause(): void {
    this.#process?.signal("SIGSTOP");
  }

  /** It continues where it was paused. */
  resume(): void {
    this.#process?.signal("SIGCONT");
  }

  /** Reads its configuration again. */
  reload(): void {
    this.#process?.signal("SIGHUP");
  }

  /** Ends it without a chance to write anything (`kill -9`). */
  async kill(): Promise<void> {
    await this.#process?.stop("SIGKILL");
  }

  /** Asks it to end in its own way, and waits until it has. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.#process?.stop(signal);
  }

  /** Ends it, and removes its data. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #program(): string {
    const program = findStore(this.kind.name);
    if (program === undefined) throw new Error(storeInstruction(this.kind.name));
    return program;
  }
}

/**
 * The command as the user that it needs. On Linux, it ends with the process of the tests, also when that is killed. Every
 * signal reaches the server itself: `setpriv` replaces itself with it.
 */
export function commandOf({ unprivileged }: Pick<StoreKind, "unprivileged">, command: readonly string[]): string[] {
  const setpriv = findProgram("setpriv");
  if (setpriv === undefined) return [...command];
  const user =
    unprivileged !== undefined && isRoot()
      ? [`--reuid=${unprivileged.uid}`, `--regid=${unprivileged.gid}`, "--clear-groups"]
      : [];
  return [setpriv, "--pdeathsig=KILL", ...user, "--", ...command];
}

/** A soft limit, which `prlimit` can lift. Without the trap, the first write beyond it would end the program. */
function limited({ maxFileBytes }: StoreKind, command: readonly string[]): readonly string[] {
  if (maxFileBytes === undefined) return command;
  return ["sh", "-c", `trap '' XFSZ; ulimit -S -f ${maxFileBytes / 512}; exec "$@"`, "sh", ...command];
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
