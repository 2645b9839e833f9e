/** The demo as `npm start` runs it, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const server = fileURLToPath(new URL("../../examples/demo/server.ts", import.meta.url));
/** Far more than a start takes, also on a machine with other things to do. */
const deadline = 20_000;
const longestLog = 20_000;

export interface Demo extends AsyncDisposable {
  /** As it printed it. */
  readonly address: string;
  readonly port: number;
  /** Everything it printed. */
  readonly log: () => string;
  /** Resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts the demo and waits until it has printed its address. Without a port it takes any that is free. */
export async function startDemo({
  port = 0,
  env = {},
}: {
  port?: number;
  env?: NodeJS.ProcessEnv;
} = {}): Promise<Demo> {
  const child = spawn(process.execPath, [server], {
    env: { ...process.env, ...env, PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      if (log.length < longestLog) log += text;
    });
  }
  const address = await printed(
    child,
    () => /http:\/\/\S+/.exec(log)?.[0],
    () => log,
  );
  const kill = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  };
  return {
    address,
    port: Number(new URL(address).port),
    log: () => log,
    kill,
    [Symbol.asyncDispose]: () => kill("SIGKILL"),
  };
}

function printed(child: ChildProcess, find: () => string | undefined, log: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill("SIGKILL");
      reject(new Error(`${why}. It printed: ${log()}`));
    };
    const timer = setTimeout(() => fail("The demo did not print an address in time"), deadline);
    child.on("exit", (code) => fail(`The demo ended with ${code}`));
    child.stdout?.on("data", () => {
      const address = find();
      if (address === undefined) return;
      clearTimeout(timer);
      child.removeAllListeners("exit");
      resolve(address);
    });
    child.once("exit", () => clearTimeout(timer));
  });
}
