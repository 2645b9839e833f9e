// The ways to send the answer of a model to a reader. Each takes a producer of chunks, and the pair of node:http.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { createResumableStreamContext } from "resumable-stream/generic";
import { createHub } from "sourcecast";
import { createRuns } from "sourcecast/ai";
import { memoryLog } from "sourcecast/memory";
import { openEventSource, respond } from "sourcecast/node";
import { redisLog } from "sourcecast/redis";
import { sqliteLog } from "sourcecast/sqlite";

/** @typedef {() => AsyncIterable<object>} Produce */
/** @typedef {{ req: import("node:http").IncomingMessage, res: import("node:http").ServerResponse }} Pair */

/**
 * @typedef {object} Contender
 * @property {(id: string, produce: Produce, pair: Pair) => unknown} start Starts an answer, with its first reader.
 * @property {(id: string, pair: Pair) => unknown} resume Another reader.
 * @property {() => Promise<number>} close Resolves with the bytes that are on the disk.
 */

/** Connections, and entries that the log keeps: more than a round has. */
const limits = { connections: 10_000 };
const maxEvents = 1_000_000;

/** The names of the contenders, the control first. */
export const contenders = [
  "pipe",
  "runs on memory",
  "runs on memory, no gather",
  "runs on SQLite",
  "runs on SQLite, no gather",
  "runs on Redis",
  "resumable-stream on Redis, its first reader",
  "resumable-stream on Redis, another reader",
];

/** @param {string} name @param {number} redisPort @returns {Promise<Contender>} */
export async function openContender(name, redisPort) {
  if (name === "pipe") return pipe();
  if (name.startsWith("resumable-stream")) return resumable(redisPort, name.endsWith("another reader"));
  return runsOn(name, redisPort);
}

/** @returns {Contender} */
function pipe() {
  return {
    start(_, produce, { req, res }) {
      const source = openEventSource(req, res);
      void source.pipe(produce()).then(() => source.close());
    },
    resume: () => {
      throw new Error("A pipe has one reader");
    },
    close: async () => 0,
  };
}

/** @param {string} name @param {number} redisPort @returns {Promise<Contender>} */
async function runsOn(name, redisPort) {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
  const client = name.includes("Redis") ? await connect(redisPort) : null;
  const log =
    client !== null
      ? redisLog({ client: /** @type {any} */ (client), key: "runs", maxEvents })
      : name.includes("SQLite")
        ? sqliteLog({ path: join(folder, "events.db"), maxEvents })
        : memoryLog({ maxEvents, maxBytes: "1gb" });
  const hub = createHub({ log, limits });
  const runs = createRuns({ hub, protocol: "ai-sdk", gather: name.endsWith("no gather") ? 0 : "30ms" });
  return {
    async start(id, produce, { req, res }) {
      const reading = await runs.begin(id, produce);
      if (reading !== null) await respond(hub, req, res, reading);
    },
    async resume(id, { req, res }) {
      const reading = await runs.find(id);
      if (reading !== null) await respond(hub, req, res, reading);
    },
    async close() {
      await hub.close();
      client?.destroy();
      const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
      rmSync(folder, { recursive: true });
      return bytes;
    },
  };
}

/** @param {number} redisPort @param {boolean} isOther The reader is not the first one. @returns {Promise<Contender>} */
async function resumable(redisPort, isOther) {
  const [publisher, subscriber] = [await connect(redisPort), await connect(redisPort)];
  const context = createResumableStreamContext({ waitUntil: () => {}, publisher, subscriber });
  /** @param {Produce} produce */
  const lines = (produce) => () => streamOf(linesOf(produce()));
  return {
    async start(id, produce, { res }) {
      const first = await context.createNewResumableStream(id, lines(produce));
      if (!isOther) return send(first, res);
      void drain(first);
      return send(await context.resumeExistingStream(id), res);
    },
    async resume(id, { res }) {
      await send(await context.resumeExistingStream(id), res);
    },
    async close() {
      // Not at once: the library has commands under way whose failure it does not handle.
      await Promise.all([publisher.close(), subscriber.close()]);
      return 0;
    },
  };
}

/** As `JsonToSseTransformStream` of the AI SDK writes them. @param {AsyncIterable<object>} chunks */
async function* linesOf(chunks) {
  for await (const chunk of chunks) yield `data: ${JSON.stringify(chunk)}\n\n`;
  yield "data: [DONE]\n\n";
}

/** @param {AsyncGenerator<string>} texts @returns {ReadableStream<string>} */
function streamOf(texts) {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await texts.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

/** @param {ReadableStream<string> | null | undefined} stream @param {import("node:http").ServerResponse} res */
async function send(stream, res) {
  res.writeHead(200, { "content-type": "text/event-stream", "x-vercel-ai-ui-message-stream": "v1" });
  for await (const text of stream ?? []) res.write(text);
  res.end();
}

/** @param {ReadableStream<string> | null} stream */
async function drain(stream) {
  for await (const _ of stream ?? []);
}

/** @param {number} port @returns {Promise<any>} */
async function connect(port) {
  const client = createClient({ socket: { port, host: "127.0.0.1" } });
  client.on("error", () => {});
  await client.connect();
  return client;
}
