/**
 * The producer's process is killed at any moment, and its readers lose their connections: the text of each reader is the
 * whole text, or a beginning of it and a declared end. No word is missing or doubled.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createRuns } from "../../src/ai/index.ts";
import { createHub } from "../../src/index.ts";
import { StreamRecorder } from "../support/recorder.ts";
import { file, openLog } from "../support/sqlite.ts";

const producer = join(import.meta.dirname, "fixtures/run-producer.ts");
const rounds = 10;
const chats = 50;
const length = 40;
const lease = 400;
const whole = Array.from({ length }, (_, word) => `${word} `).join("");

test(`${rounds * chats} runs whose producer is killed end declared, with no word lost or doubled`, async () => {
  const path = file();
  const hub = createHub({ log: openLog({ path }), limits: { connections: 10_000 } });
  const failures: unknown[] = [];
  const runs = createRuns({ hub, protocol: "text", lease, onError: (error) => failures.push(error) });
  let cut = 0;
  for (let round = 0; round < rounds; round++) {
    const readers: Promise<Reading>[] = [];
    const child = spawn(process.execPath, [producer, path, `${round}`, `${chats}`, `${length}`, `${lease}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.setEncoding("utf8").on("data", (lines: string) => {
      for (const chat of lines.trim().split("\n")) readers.push(read(runs, `${round}/${chat}`, Number(chat)));
      // From the middle of the elections to the last words.
      if (readers.length >= chats * Math.min(1, (round + 2) / 4)) setTimeout(() => child.kill("SIGKILL"), round * 40);
    });
    await once(child, "close");
    for (const { text, failed, cameLate } of await Promise.all(readers)) {
      expect(whole.startsWith(text)).toBe(true);
      if (!cameLate && text !== whole) {
        expect(failed).toBe(true);
        cut++;
      }
    }
  }
  expect(cut).toBeGreaterThan(rounds);
  expect(failures).toEqual([]);
  await runs.close();
  await hub.close();
});

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
