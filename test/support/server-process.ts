/** A server in a process of its own, started by a test and ended by it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { eventually, within } from "./deadline.ts";

export interface Command {
  /** The program; this process's Node unless another is named. */
  program?: string;
  /** `$PORT` in them, and in the values of `env`, stands for the port. */
  args: readonly string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** The port that it will listen to. @default a free one */
  port?: number;
}

/** How a process ended: its code, or the signal that ended it. */
export type Exit = number | NodeJS.Signals;

const longestLog = 200_000;
/** Far more than a start takes, also of a development server on a busy machine. */
const startDeadline = 60_000;
const stopDeadline = 15_000;

export class ServerProcess implements AsyncDisposable {
  readonly port: number;
  readonly origin: string;
  /** The folder that it runs in. */
  readonly cwd: string;
  readonly #child: ChildProcess;
  #log = "";
  /** Length of the log up to the last check. */
  #seen = 0;

  /** Starts it with `PORT` set to a free port, and waits until that is listened to. */
  static async start(command: Command): Promise<ServerProcess> {
    const server = new ServerProcess(command.port ?? (await freePort()), command);
    try {
      await within(startDeadline, "the server listens", server.#listening());
    } catch (error) {
      await server.stop("SIGKILL");
      throw new Error(`${error}. It printed: ${server.#log}`);
    }
    server.newOutput();
    return server;
  }

  private constructor(port: number, { program = process.execPath, args, cwd, env }: Command) {
    this.port = port;
    this.cwd = cwd;
    this.origin = `http://127.0.0.1:${port}`;
    // Variables that Vitest and CI set make frameworks behave as in their own tests: h3 would not shut down in order.
    const { NODE_ENV, VITEST, VITEST_MODE, TEST, CI, ...inherited } = process.env;
    const withPort = (text = ""): string => text.replaceAll("$PORT", String(port));
    const own = Object.entries(env ?? {}).map(([name, value]) => [name, withPort(value)]);
    this.#child = spawn(program, args.map(withPort), {
      cwd,
      env: { ...inherited, ...Object.fromEntries(own), PORT: String(port) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        if (this.#log.length < longestLog) this.#log += text;
      });
    }
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its output since the last call, or since it listened, without the line with its address. */
  newOutput(): string {
    const lines = this.#log.slice(this.#seen).split("\n");
    this.#seen = this.#log.length;
    return lines.filter((line) => !line.includes(`:${this.port}`)).join("\n");
  }

  /**
   * The same, up to a line that it was told to print on both streams. Output that precedes a response may arrive after
   * the response; only such a line proves that all of it has arrived.
   */
  async newOutputBefore(mark: string): Promise<string> {
    const unseen = async (): Promise<string> => this.#log.slice(this.#seen);
    await eventually(`${mark} is printed twice`, unseen, (text) => text.split(mark).length > 2);
    const lines = this.newOutput().split("\n");
    return lines.filter((line) => !line.includes(mark)).join("\n");
  }

  /** Sends it a signal that it does something else with than to end. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to end and waits until it has. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    if (this.running) {
      const exit = once(this.#child, "exit");
      this.#child.kill(signal);
      try {
        await within(stopDeadline, `the server ends after ${signal}`, exit);
      } catch (error) {
        this.#child.kill("SIGKILL");
        await exit;
        throw error;
      }
    }
    return this.#child.signalCode ?? (this.#child.exitCode as number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }

  async #listening(): Promise<void> {
    while (!(await accepts(this.port))) {
      if (!this.running) throw new Error(`The server ended with ${await this.stop()}`);
      // There is no event for a port that another process begins to listen to.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/**
 * A free port below those that systems assign to outgoing connections: one of these could take the port of a server
 * that is down until it is restarted.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(16_384, 32_000);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
