/**
 * The producer's process is killed at any moment, and its readers lose their connections: the text of each reader is the
 * whole text, or a beginning of it and a declared end. No word is missing or doubled. A process for each of 500 histories:
 * `RUN_KILLS=500 RUN_KILL_CHATS=1 node scripts/vitest.mjs --project faults test/faults/runs-kill.test.ts --reporter=verbose`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createRuns } from "../../src/ai/index.ts";
import { createHub } from "../../src/index.ts";
import { StreamRecorder } from "../support/recorder.ts";
import { file, openLog } from "../support/sqlite.ts";

const cache = mkdtempSync(join(tmpdir(), "sourcecast-"));
afterAll(() => rmSync(cache, { recursive: true }));

const producer = join(import.meta.dirname, "fixtures/run-producer.ts");
/** Processes that are killed, each in the middle of its own histories. */
const kills = Number(process.env.RUN_KILLS ?? 100);
const chats = Number(process.env.RUN_KILL_CHATS ?? 5);
const length = 60;
const lease = 400;
/** Processes at the same time: the readers of some wait for a lease while others start. */
const atOnce = 8;
const whole = Array.from({ length }, (_, word) => `${word} `).join("");

test(`${kills * chats} histories, with ${kills} processes that are killed: no word is lost or doubled, each end is declared`, {
  timeout: 60_000 + kills * 1_000,
}, async ({ annotate }) => {
  const path = file();
  const hub = createHub({ log: openLog({ path }), limits: { connections: 10_000 } });
  const failures: unknown[] = [];
  const runs = createRuns({ hub, protocol: "text", lease, onError: (error) => failures.push(error) });
  const counts = { cut: 0, whole: 0, late: 0 };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < kills) {
      for (const { text, failed, cameLate } of await killed(next++, path, runs)) {
        expect(whole.startsWith(text)).toBe(true);
        if (cameLate) counts.late++;
        else if (text === whole) counts.whole++;
        else {
          expect(failed).toBe(true);
          counts.cut++;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await annotate(`${kills} kills: ${JSON.stringify(counts)}`);
  // Most are cut in the middle, or the moments of the kills are wrong.
  expect(counts.cut).toBeGreaterThan((kills * chats) / 2);
  expect(failures).toEqual([]);
  await runs.close();
  await hub.close();
});

/** One process, from its start until it is killed, and the texts of its readers. */
async function killed(kill: number, path: string, runs: ReturnType<typeof createRuns>): Promise<Reading[]> {
  const readers: Promise<Reading>[] = [];
  const child = spawn(process.execPath, [producer, path, `${kill}`, `${chats}`, `${length}`, `${lease}`], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  // Now and then while the runs are elected, then anywhere up to their last words.
  const electedBefore = 1 + (kill % chats);
  child.stdout.setEncoding("utf8").on("data", (lines: string) => {
    for (const chat of lines.trim().split("\n")) readers.push(read(runs, `${kill}/${chat}`, Number(chat)));
    if (readers.length >= electedBefore) setTimeout(() => child.kill("SIGKILL"), (kill * 37) % 300);
  });
  const [, signal] = await once(child, "close");
  expect(signal).toBe("SIGKILL");
  return Promise.all(readers);
}

interface Reading {
  text: string;
  /** The stream declared that the text is not whole. */
  failed: boolean;
  /** The run had ended before the reader came. */
  cameLate: boolean;
}

/** Reads a run to its declared end. Every third connection is cut after a few events, and resumed at the last id. */
async function read(runs: ReturnType<typeof createRuns>, chat: string, number: number): Promise<Reading> {
  const reading: Reading = { text: "", failed: false, cameLate: false };
  let lastEventId = "";
  let hasEnded = false;
  for (let connection = 0; !hasEnded; connection++) {
    const headers = lastEventId === "" ? {} : { "last-event-id": lastEventId };
    const response = await runs.resume(chat, new Request("http://localhost/chat", { headers }));
    if (response.status === 204) {
      // A client without a position came after the run had ended. One with a position has read everything up to the end.
      expect(connection === 0 || reading.text === whole || reading.failed).toBe(true);
      return { ...reading, cameLate: connection === 0 };
    }
    const recorder = new StreamRecorder(lastEventId);
    const cutAfter = connection < 3 ? 2 + ((number + connection) % 5) : Number.POSITIVE_INFINITY;
    const decoder = new TextDecoder();
    for await (const bytes of response.body as ReadableStream<Uint8Array>) {
      recorder.push(decoder.decode(bytes, { stream: true }));
      if (recorder.events.length >= cutAfter) break;
    }
    for (const { type, data } of recorder.events) {
      if (type === "message") reading.text += data;
      else if (type === "failed") reading.failed = true;
      else if (type === "sse:end") hasEnded = true;
      else if (type !== "sse:checkpoint") throw new Error(`Unexpected ${type}: ${data}`);
    }
    lastEventId = recorder.lastEventId;
  }
  return reading;
}
