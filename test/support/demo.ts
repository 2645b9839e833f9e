/** The demo as `npm start` runs it, in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const server = fileURLToPath(new URL("../../examples/demo/server.ts", import.meta.url));
/** Far more than a start takes, also on a machine with other things to do. */
const deadline = 20_000;
const longestLog = 20_000;

export interface DemoOptions {
  /** The file of its log. */
  database: string;
  /** @default any that is free */
  port?: number;
  /** How many events it keeps. */
  keep?: number;
}

export interface Demo {
  /** As it printed it. */
  readonly address: string;
  readonly port: number;
  /** Everything it printed. */
  log(): string;
  /** Resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts the demo and waits until it has printed its address. */
export async function startDemo({ database, port = 0, keep = 10_000 }: DemoOptions): Promise<Demo> {
  const child = spawn(process.execPath, [server], {
    env: { ...process.env, PORT: String(port), DATABASE: database, KEEP: String(keep) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exit = once(child, "exit");
  let log = "";
  const { promise: address, resolve, reject } = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      if (log.length < longestLog) log += text;
      const printed = /http:\/\/\S+(?=\n)/.exec(log)?.[0];
      if (printed !== undefined) resolve(printed);
    });
  }
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    child.kill(signal);
    await exit;
  };
  exit.then(([code]) => reject(new Error(`The demo ended with ${code}. It printed: ${log}`)));
  const timer = setTimeout(() => reject(new Error(`The demo printed no address in time, but: ${log}`)), deadline);
  try {
    return { address: await address, port: Number(new URL(await address).port), log: () => log, kill };
  } catch (error) {
    await kill();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
