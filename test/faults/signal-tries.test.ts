import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Http1Client } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { root } from "../support/package.ts";

/** More by hand: `SIGNAL_TRIES=1000 npm test -- test/faults/signal-tries.test.ts` */
const tries = Number(process.env.SIGNAL_TRIES ?? 24);
/** Tries at the same time. */
const lanes = 6;
/** Signals come at the latest this long after the last stream has ended. */
const latestMs = 450;

test(
  `${tries} processes get a SIGTERM after their last stream has ended, and all of them die by it`,
  async () => {
    const left = Array.from({ length: tries }, (_, number) => (number / tries) * latestMs);
    const lane = async () => {
      for (let delay = left.pop(); delay !== undefined; delay = left.pop()) await attempt(delay);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  },
  tries * 1_000 + 60_000,
);

async function attempt(delay: number): Promise<void> {
  const args = [join(root, "test/contracts/fixtures/shutdown.mjs"), join(root, "src")];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const exited = once(child, "exit");
    let output = "";
    const said = async (what: RegExp) => {
      while (!what.test(output)) output += (await once(child.stdout, "data"))[0];
      return what.exec(output)?.[1];
    };
    const client = new Http1Client(Number(await said(/port (\d+)\n/)), { path: "/node" });
    await client.next();
    client.leave();
    await said(/closed disconnected\n/);
    await new Promise((resolve) => setTimeout(resolve, delay));
    child.kill("SIGTERM");
    expect(await within(20_000, `the end of a process, ${delay} ms after its last stream`, exited)).toEqual([
      null,
      "SIGTERM",
    ]);
  } finally {
    child.kill("SIGKILL");
  }
}
