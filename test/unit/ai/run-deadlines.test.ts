/** No call waits forever: not for a log that never answers, not for a producer, and `close()` waits for all that is under way. */
import { expect, test } from "vitest";
import { resumableStreams, streamDurability } from "../../../src/ai/index.ts";
import type { Log } from "../../../src/log/log.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { eventStore } from "../../../src/mcp/index.ts";
import { openHub } from "../../support/hub.ts";
import { controlledProducer, eventsOf, openProcess, overLog } from "../../support/runs.ts";
import { request } from "../../support/web.ts";

const limits = { logTimeout: 30, publishTimeout: 30 };
const never = () => new Promise<never>(() => {});
const silent: Partial<Log> = { append: never, head: never, read: never, last: never, latestByKey: never };

const calls: [name: string, call: (log: Log) => Promise<unknown>][] = [
  ["runs.start()", (log) => openProcess(log, {}, limits).runs.start("chat", () => [], { request: request() })],
  ["runs.resume()", (log) => openProcess(log, {}, limits).runs.resume("chat", request())],
  ["runs.find()", (log) => openProcess(log, {}, limits).runs.find("chat")],
  ["runs.state()", (log) => openProcess(log, {}, limits).runs.state("chat")],
  ["runs.stop()", (log) => openProcess(log, {}, limits).runs.stop("chat")],
  ["runs.delete()", (log) => openProcess(log, {}, limits).runs.delete("chat")],
  ["hasExistingStream()", (log) => resumableStreams(openHub({ log, limits }).hub).hasExistingStream("1")],
  [
    "resumableStream()",
    (log) => resumableStreams(openHub({ log, limits }).hub).resumableStream("1", () => new ReadableStream()),
  ],
  ["append() of a durable run", (log) => durability(log).append([{ type: "a" }])],
  ["snapshot() of a durable run", (log) => durability(log).snapshot()],
  ["close() of a durable run", (log) => durability(log).close()],
  ["storeEvent()", (log) => store(log).storeEvent("1", {})],
  ["replayEventsAfter()", (log) => store(log).replayEventsAfter("abc.1.1", { send: async () => {} })],
];

const durability = (log: Log) => streamDurability<{ type: string }>(openHub({ log, limits }).hub, { runId: "1" });
const store = (log: Log) => eventStore(openHub({ log, limits }).hub, { session: "1" });

test.each(calls)("%s rejects when the log does not answer within the limits of the hub", async (_, call) => {
  const code = expect.stringMatching(/^ERR_SSE_(TIMEOUT|LOG)$/);
  await expect(call(overLog(memoryLog(), silent))).rejects.toMatchObject({ code });
});

test("a producer that hangs is given up after idleTimeout, however long the lease is", async () => {
  const { runs, errors } = openProcess(memoryLog(), { idleTimeout: 50, lease: "1h" });
  async function* produce() {
    yield "a";
    yield await never();
  }
  const response = await runs.start("chat", produce, { request: request() });
  expect(await eventsOf(response)).toEqual([
    "message a",
    expect.stringMatching(/^failed/),
    expect.stringMatching(/^sse:end/),
  ]);
  expect(errors).toEqual([expect.objectContaining({ code: "ERR_SSE_TIMEOUT" })]);
});

test("a producer that yields in time is not given up, however long it takes as a whole", async () => {
  const { runs } = openProcess(memoryLog(), { idleTimeout: 200, lease: "1h" });
  async function* produce() {
    for (let word = 0; word < 6; word++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield `${word}`;
    }
  }
  const response = await runs.start("chat", produce, { request: request() });
  expect(await eventsOf(response)).toHaveLength(7);
});

test("a stream that arrives after the run was stopped is cancelled", async () => {
  const { runs } = openProcess(memoryLog());
  let arrive: (stream: ReadableStream<string>) => void = () => {};
  const arriving = new Promise<ReadableStream<string>>((resolve) => {
    arrive = resolve;
  });
  const response = await runs.start("chat", () => arriving, { request: request() });
  await runs.stop("chat");
  await eventsOf(response);
  const cancelled = new Promise<void>((resolve) => {
    arrive(new ReadableStream<string>({ cancel: () => resolve() }));
  });
  await cancelled;
});

test("close() waits for a start that is under way, and its run ends with an error", async () => {
  const log = memoryLog();
  let elect = () => {};
  const elected = new Promise<void>((resolve) => {
    elect = resolve;
  });
  let electing = () => {};
  const isElecting = new Promise<void>((resolve) => {
    electing = resolve;
  });
  const slow = overLog(log, {
    async append(entries) {
      if (entries[0]?.type === "run") {
        electing();
        await elected;
      }
      return log.append(entries);
    },
  });
  const [one, two] = [openProcess(slow), openProcess(log)];
  const producer = controlledProducer();
  const starting = one.runs.start("chat", producer.produce, { request: request() });
  await isElecting;
  let isClosed = false;
  const closing = one.runs.close().then(() => {
    isClosed = true;
  });
  await two.runs.state("chat");
  expect(isClosed).toBe(false);
  elect();
  await closing;
  expect(await two.runs.state("chat")).toBe("ended");
  expect(producer.calls).toBe(0);
  await (await starting).body?.cancel();
});
