/** Programs between clients and servers, with a configuration of their own, run by a test without any rights. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProxy, instruction, type proxies } from "../../../scripts/lib/proxies.mjs";
import { root } from "../package.ts";
import { freePort, ServerProcess } from "../server-process.ts";

/** One program. Its configurations listen to 127.0.0.1 alone and keep all their files in one folder. */
export interface ProxyKind {
  readonly name: (typeof proxies)[number];
  /** The file of docs/deploy that users copy. */
  readonly file: string;
  /** The least that it runs with, over HTTP/1.1 without TLS: its defaults. */
  bare(place: Place, variant: Variant): string;
  /** The configuration that users copy, with its placeholders replaced. */
  copied(configuration: string, place: Place): string;
  /** Runs in the foreground. */
  args(file: string): string[];
  /** Takes over a new configuration while clients are there. */
  reload(proxy: ProxyProcess): Promise<void>;
  /** Ends it when those requests have ended that are under way. */
  readonly endsInOrder: NodeJS.Signals;
}

/** Names that a configuration must contain. */
export interface Place {
  readonly port: number;
  /** Ports of the servers that it forwards to. */
  readonly servers: readonly number[];
  readonly folder: string;
}

/** Directives in addition to the defaults. */
export interface Variant {
  /** Milliseconds without output after which a server counts as dead. */
  readonly idleTimeout?: number;
  /** Everything is compressed that it can be told to compress. */
  readonly compress?: boolean;
  /** Nothing is buffered to be sent together with later bytes. */
  readonly prompt?: boolean;
}

/** A certificate for 127.0.0.1 and localhost, and its key. */
export const [certificate, key] = (["cert", "key"] as const).map((name) =>
  join(root, `test/support/tls/${name}.pem`),
) as [string, string];

export class ProxyProcess {
  readonly kind: ProxyKind;
  readonly folder: string;
  readonly #process: ServerProcess;

  /** Starts it with its defaults. */
  static bare(kind: ProxyKind, servers: readonly number[], variant: Variant = {}): Promise<ProxyProcess> {
    return ProxyProcess.#start(kind, servers, (place) => kind.bare(place, variant));
  }

  /** Starts it with what users copy, over TLS. */
  static copied(kind: ProxyKind, servers: readonly number[]): Promise<ProxyProcess> {
    const configuration = readFileSync(join(root, "docs/deploy", kind.file), "utf8");
    return ProxyProcess.#start(kind, servers, (place) => kind.copied(configuration, place));
  }

  static async #start(
    kind: ProxyKind,
    servers: readonly number[],
    configure: (place: Place) => string,
  ): Promise<ProxyProcess> {
    const program = findProxy(kind.name);
    if (program === undefined) throw new Error(instruction(kind.name));
    const folder = mkdtempSync(join(tmpdir(), `sourcecast-${kind.name}-`));
    // A proxy that root starts runs as another user.
    chmodSync(folder, 0o755);
    const port = await freePort();
    const file = join(folder, kind.file);
    writeFileSync(file, configure({ port, servers, folder }));
    const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    try {
      return new ProxyProcess(
        kind,
        folder,
        await ServerProcess.start({ program, args: kind.args(file), cwd: folder, env, port }),
      );
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(kind: ProxyKind, folder: string, process: ServerProcess) {
    this.kind = kind;
    this.folder = folder;
    this.#process = process;
  }

  get port(): number {
    return this.#process.port;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  reload(): Promise<void> {
    return this.kind.reload(this);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.#process.stop(signal);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Replaces texts, each of which must occur. */
export function fill(configuration: string, texts: Readonly<Record<string, string>>): string {
  return Object.entries(texts).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`There is no ${JSON.stringify(from)} in the configuration:\n${text}`);
    return text.replaceAll(from, to);
  }, configuration);
}
