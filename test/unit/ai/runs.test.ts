/** Runs: elected once, read by many, ended once, in whatever process. */
import { describe, expect, test, vi } from "vitest";
import { createRuns, type FinishedRun } from "../../../src/ai/index.ts";
import { LogError } from "../../../src/base/errors.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { defineEvents, text } from "../../../src/wire/contract.ts";
import { openHub } from "../../support/hub.ts";
import {
  controlledProducer,
  eventsOf,
  freezable,
  lease,
  opened,
  openProcess,
  overLog,
  storedOf,
} from "../../support/runs.ts";
import { request } from "../../support/web.ts";

const ended = expect.stringMatching(/^sse:end /);

describe("a run", () => {
  test("is read from its start by whoever comes, and ends with its producer", async () => {
    const { runs } = openProcess(memoryLog());
    const producer = controlledProducer();
    const first = await runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    const second = await runs.resume("chat", request());
    expect(await runs.state("chat")).toBe("open");
    producer.yield("b");
    producer.end();
    expect(await eventsOf(first)).toEqual(["message a", "message b", ended]);
    expect(await eventsOf(second)).toEqual(["message a", "message b", ended]);
    expect(await runs.state("chat")).toBe("ended");
    expect((await runs.resume("chat", request())).status).toBe(204);
  });

  test("of a chat that has none is empty, and resumes with 204", async () => {
    const { runs } = openProcess(memoryLog());
    expect(await runs.state("chat")).toBe("empty");
    expect((await runs.resume("chat", request())).status).toBe(204);
  });

  test("is resumed in another process", async () => {
    const log = memoryLog();
    const [one, two] = [openProcess(log), openProcess(log)];
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    const response = await two.runs.resume("chat", request());
    producer.end();
    expect(await eventsOf(response)).toEqual(["message a", ended]);
  });

  const strange = { "a star": "a*", punctuation: "ä/ö?#%", "half a character": "\ud800", length: "x".repeat(10_000) };
  test.each(Object.entries(strange))("of a chat whose id has %s has a channel of its own", async (_, chatId) => {
    const { runs } = openProcess(memoryLog());
    const response = await runs.start(chatId, () => ["a"], { request: request() });
    expect(await eventsOf(response)).toEqual(["message a", ended]);
    expect(await runs.state(chatId)).toBe("ended");
    expect(await runs.state(`${chatId} `)).toBe("empty");
  });
});

test("authorize() is not asked for a run: calling runs is the permission", async () => {
  const { hub } = openHub({ authorize: () => false });
  const runs = createRuns({ hub, protocol: "text" });
  const response = await runs.start("chat", () => ["a"], { request: request() });
  expect(await eventsOf(response)).toEqual(["message a", ended]);
  const direct = await hub.response(request(), { channels: ["runs/chat/*"] });
  expect(direct.status).toBe(403);
});

test("the contract of the hub does not count for the events of a protocol", async () => {
  const { hub } = openHub({ events: defineEvents({ news: text }) as never });
  const runs = createRuns({ hub, protocol: "ai-sdk" });
  opened.push(runs);
  const producer = controlledProducer();
  const response = await runs.start("chat", producer.produce, { request: request() });
  expect(await runs.stop("chat")).toBe(true);
  expect(await response.text()).toMatch(/data: \{"type":"abort"\}\n\n.*data: \[DONE\]\n\n$/s);
});

describe("a chat that is busy", () => {
  test("rejects another request with 409, and joins one with the same id", async () => {
    const { runs } = openProcess(memoryLog());
    const producer = controlledProducer();
    const first = await runs.start("chat", producer.produce, { request: request(), requestId: "1" });
    const other = await runs.start("chat", producer.produce, { request: request(), requestId: "2" });
    expect([other.status, await other.json()]).toEqual([409, expect.objectContaining({ error: "busy" })]);
    const same = await runs.start("chat", producer.produce, { request: request(), requestId: "1" });
    producer.yield("a");
    producer.end();
    expect(await eventsOf(first)).toEqual(await eventsOf(same));
    expect(producer.calls).toBe(1);
  });

  test("elects one of many, in all processes", async () => {
    const log = memoryLog();
    const processes = Array.from({ length: 4 }, () => openProcess(log));
    const producer = controlledProducer();
    const starts = processes.flatMap(({ runs }) =>
      Array.from({ length: 5 }, () => runs.start("chat", producer.produce, { request: request() })),
    );
    const statuses = (await Promise.all(starts)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(19);
    producer.end();
    expect(producer.calls).toBe(1);
  });

  test("is replaced: the old run stops, and the new one continues", async () => {
    const log = memoryLog();
    const [one, two] = [openProcess(log), openProcess(log)];
    const [old, next] = [controlledProducer(), controlledProducer()];
    const first = await one.runs.start("chat", old.produce, { request: request() });
    old.yield("a");
    const second = await two.runs.start("chat", next.produce, { request: request(), onBusy: "replace" });
    expect(await eventsOf(first)).toEqual(["message a", "stopped {}", ended]);
    await expect.poll(() => old.signal?.aborted).toBe(true);
    next.yield("b");
    next.end();
    expect(await eventsOf(second)).toEqual(["message b", ended]);
    expect(one.errors).toEqual([]);
  });
});

describe("stop()", () => {
  test("stops the run in whatever process, and keeps its text", async () => {
    const log = memoryLog();
    const finished: FinishedRun[] = [];
    const one = openProcess(log, { onFinish: (run) => void finished.push(run) });
    const two = openProcess(log);
    const producer = controlledProducer();
    const response = await one.runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    await expect.poll(() => producer.calls).toBe(1);
    expect(await two.runs.stop("chat")).toBe(true);
    expect(await eventsOf(response)).toEqual(["message a", "stopped {}", ended]);
    expect(producer.signal?.aborted).toBe(true);
    expect(finished).toEqual([expect.objectContaining({ chatId: "chat", text: "a", outcome: "stopped" })]);
  });

  test("that comes late does not stop the next run", async () => {
    const { runs } = openProcess(memoryLog());
    await eventsOf(await runs.start("chat", () => ["a"], { request: request() }));
    expect(await runs.stop("chat")).toBe(false);
    const next = await runs.start("chat", () => ["b"], { request: request() });
    expect(await eventsOf(next)).toEqual(["message b", ended]);
  });

  test("that comes before the first run stops it", async () => {
    const { runs } = openProcess(memoryLog());
    const producer = controlledProducer();
    await runs.stop("chat");
    const response = await runs.start("chat", producer.produce, { request: request() });
    expect(await eventsOf(response)).toEqual(["stopped {}", ended]);
    const next = await runs.start("chat", () => ["b"], { request: request() });
    expect(await eventsOf(next)).toEqual(["message b", ended]);
    expect(producer.calls).toBe(0);
  });

  test("of a request that has not arrived yet stops that one alone", async () => {
    const { runs } = openProcess(memoryLog());
    await eventsOf(await runs.start("chat", () => ["a"], { request: request() }));
    await runs.stop("chat", { requestId: "2" });
    const stopped = await runs.start("chat", () => ["b"], { request: request(), requestId: "2" });
    expect(await eventsOf(stopped)).toEqual(["stopped {}", ended]);
  });
});

test("stop() of one request does not stop the run of another", async () => {
  const { runs } = openProcess(memoryLog());
  const producer = controlledProducer();
  const response = await runs.start("chat", producer.produce, { request: request(), requestId: "1" });
  expect(await runs.stop("chat", { requestId: "2" })).toBe(false);
  producer.yield("a");
  producer.end();
  expect(await eventsOf(response)).toEqual(["message a", ended]);
});

test("stop() at the time of a start stops that run, or comes before it", async () => {
  for (let chat = 0; chat < 20; chat++) {
    const { runs } = openProcess(memoryLog());
    const producer = controlledProducer();
    const starting = runs.start("chat", producer.produce, { request: request(), requestId: "1" });
    for (let turn = 0; turn < chat; turn++) await null;
    await runs.stop("chat", { requestId: "1" });
    expect(await eventsOf(await starting)).toEqual(["stopped {}", ended]);
  }
});

test("a client with a position in an earlier run gets the rest of that run, not the newest one", async () => {
  const { runs } = openProcess(memoryLog());
  const first = await runs.start("chat", () => ["a", "b"], { request: request() });
  const [, id] = /^id: (.+)\ndata: a$/m.exec(await first.text()) ?? [];
  await eventsOf(await runs.start("chat", () => ["c"], { request: request() }));
  const headers = { "last-event-id": `${id}` };
  expect(await eventsOf(await runs.resume("chat", request({ headers })))).toEqual(["message b", ended]);
});

test("an outage of the log in the middle leaves no hole in the text", async () => {
  const log = memoryLog();
  let isDown = false;
  const failing = overLog(log, {
    append: (entries) => (isDown ? Promise.reject(new LogError("down", "unknown")) : log.append(entries)),
  });
  const [one, two] = [openProcess(failing), openProcess(log)];
  const producer = controlledProducer();
  await one.runs.start("chat", producer.produce, { request: request() });
  producer.yield("a ");
  await expect.poll(() => storedOf(log)).toEqual(["a "]);
  isDown = true;
  for (const word of ["b ", "c ", "d "]) producer.yield(word);
  const reader = await two.runs.resume("chat", request());
  await expect.poll(() => one.errors.length).toBeGreaterThan(0);
  isDown = false;
  producer.yield("e ");
  producer.end();
  const text = (await eventsOf(reader))
    .filter((event) => event.startsWith("message"))
    .join("")
    .replaceAll("message ", "");
  expect("a b c d e ".replaceAll(" ", "").startsWith(text.replaceAll(" ", ""))).toBe(true);
  one.errors.splice(0);
});

test.each([true, false])(
  "an election without an answer is settled first, whether it was stored: %s",
  async (isStored) => {
    const log = memoryLog();
    let elections = 0;
    const failing = overLog(log, {
      async append(entries) {
        if (entries[0]?.type !== "run" || ++elections > 1) return log.append(entries);
        if (isStored) await log.append(entries);
        throw new LogError("no answer", "unknown");
      },
    });
    const { runs } = openProcess(failing);
    const response = await runs.start("chat", () => ["a"], { request: request() });
    expect(await eventsOf(response)).toEqual(["message a", ended]);
  },
);

test("a lost run ends even if its text cannot be stored", async () => {
  const log = memoryLog();
  const frozen = freezable(log);
  const one = openProcess(frozen.log);
  const two = openProcess(log, { onFinish: () => Promise.reject(new Error("no database")) });
  const producer = controlledProducer();
  await one.runs.start("chat", producer.produce, { request: request() });
  frozen.freeze();
  const reader = await two.runs.resume("chat", request());
  expect(await eventsOf(reader)).toEqual([expect.stringMatching(/^failed/), ended]);
  expect(two.errors).toEqual([expect.objectContaining({ message: "no database" })]);
  frozen.thaw();
});

test("a failing onError changes nothing", async () => {
  const onError = () => {
    throw new Error("no monitoring");
  };
  const { runs } = openProcess(memoryLog(), { onError });
  const warnings = vi.spyOn(console, "error").mockImplementation(() => {});
  const response = await runs.start("chat", () => [7], { request: request() });
  expect(await eventsOf(response)).toEqual([expect.stringMatching(/^failed/), ended]);
  // The failure of the run, and that of onError.
  expect(warnings).toHaveBeenCalledTimes(2);
  warnings.mockRestore();
});

describe("delete()", () => {
  test("of a run that another process watches is not written to again", async () => {
    const log = memoryLog();
    const finished: FinishedRun[] = [];
    const [one, two] = [openProcess(log), openProcess(log, { onFinish: (run) => void finished.push(run) })];
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, { request: request() });
    expect(await two.runs.state("chat")).toBe("open");
    await one.runs.delete("chat");
    const { top } = await log.head();
    await new Promise((resolve) => setTimeout(resolve, 3 * lease));
    expect([(await log.head()).top, finished]).toEqual([top, []]);
  });

  test("stops the run in whatever process, and leaves nothing of the chat in the log", async () => {
    const log = memoryLog();
    const finished: FinishedRun[] = [];
    const onFinish = (run: FinishedRun) => void finished.push(run);
    const [one, two] = [openProcess(log, { onFinish }), openProcess(log)];
    const producer = controlledProducer();
    const response = await one.runs.start("chat", producer.produce, { request: request() });
    producer.yield("secret");
    await expect.poll(() => storedOf(log)).toEqual(["secret"]);
    const other = await two.runs.start("another", () => ["kept"], { request: request() });
    await two.runs.delete("chat");
    expect(await two.runs.state("chat")).toBe("empty");
    expect(JSON.stringify(await log.last?.(100, { channels: [], prefixes: ["runs/chat/"] }))).not.toContain("secret");
    const text = await response.text();
    expect(text).toMatch(/event: (sse:gap|sse:end)/);
    await expect.poll(() => producer.signal?.aborted).toBe(true);
    expect(await eventsOf(other)).toEqual(["message kept", ended]);
    const again = await one.runs.start("chat", () => ["new"], { request: request() });
    expect(await eventsOf(again)).toEqual(["message new", ended]);
    expect([one.errors, finished.map(({ text }) => text)]).toEqual([[], ["new"]]);
  });
});

describe("a producer", () => {
  const failures: [name: string, produce: () => never, code: string][] = [
    [
      "throws",
      () => {
        throw new Error("no model");
      },
      "",
    ],
    ["rejects", (() => Promise.reject(new Error("no model"))) as never, ""],
    ["yields garbage", (() => [{}]) as never, ""],
    ["yields a number", (() => [7]) as never, ""],
    ["returns no pieces", (() => 7) as never, "ERR_SSE_PIPE"],
  ];
  test.each(failures)("that %s ends the run with an error", async (_, produce) => {
    const finished: FinishedRun[] = [];
    const { runs, errors } = openProcess(memoryLog(), { onFinish: (run) => void finished.push(run) });
    const response = await runs.start("chat", produce, { request: request() });
    expect(await eventsOf(response)).toEqual(['failed {"message":"The answer could not be completed"}', ended]);
    expect(errors).toHaveLength(1);
    expect(finished).toEqual([expect.objectContaining({ outcome: "failed", error: errors[0] })]);
  });

  test("that hangs and ignores its signal ends the run after the idle timeout", async () => {
    const { runs, errors } = openProcess(memoryLog(), { idleTimeout: 100 });
    const hang = () => new Promise<never>(() => {});
    const response = await runs.start("chat", hang, { request: request() });
    expect(await eventsOf(response)).toEqual([expect.stringMatching(/^failed/), ended]);
    expect(errors).toEqual([expect.objectContaining({ code: "ERR_SSE_TIMEOUT" })]);
  });

  test("whose text is not stored ends the run with an error", async () => {
    const onFinish = () => Promise.reject(new Error("no database"));
    const { runs, errors } = openProcess(memoryLog(), { onFinish });
    const response = await runs.start("chat", () => ["a"], { request: request() });
    expect(await eventsOf(response)).toEqual(["message a", expect.stringMatching(/^failed/), ended]);
    expect(errors).toEqual([expect.objectContaining({ message: "no database" })]);
  });

  test("has ended only when its text is stored", async () => {
    let store = () => {};
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    const { runs } = openProcess(memoryLog(), { onFinish: () => stored });
    const response = await runs.start("chat", () => ["a"], { request: request() });
    await new Promise((resolve) => setTimeout(resolve, 2 * lease));
    expect(await runs.state("chat")).toBe("open");
    store();
    expect(await eventsOf(response)).toEqual(["message a", ended]);
  });
});

test("closing the hub ends the runs of the process with an error, which readers elsewhere see", async () => {
  const log = memoryLog();
  const [one, two] = [openProcess(overLog(log, { close: async () => {} })), openProcess(log)];
  const producer = controlledProducer();
  const own = await one.runs.start("chat", producer.produce, { request: request() });
  await own.body?.cancel();
  const reader = await two.runs.resume("chat", request());
  producer.yield("a");
  await expect.poll(() => storedOf(log)).toEqual(["a"]);
  await one.hub.close();
  expect(await eventsOf(reader)).toEqual(["message a", expect.stringMatching(/^failed/), ended]);
  expect(one.errors).toEqual([]);
  await expect(one.runs.start("chat", producer.produce, { request: request() })).rejects.toThrow("after close()");
});

describe("a lease", () => {
  test("that is lost ends the run, and the writer that wakes up writes nothing more", async () => {
    const log = memoryLog();
    const frozen = freezable(log);
    const finished: FinishedRun[] = [];
    const one = openProcess(frozen.log);
    const two = openProcess(log, { onFinish: (run) => void finished.push(run) });
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    await expect.poll(() => storedOf(log)).toEqual(["a"]);
    frozen.freeze();
    const reader = await two.runs.resume("chat", request());
    producer.yield("b");
    expect(await eventsOf(reader)).toEqual(["message a", expect.stringMatching(/^failed/), ended]);
    expect(finished).toEqual([expect.objectContaining({ text: "a", outcome: "lost" })]);
    frozen.thaw();
    // A process that is paused for longer than a lease also finds that the log has not answered in that time.
    await expect.poll(() => String(one.errors.at(-1))).toContain("taken");
    expect(producer.signal?.aborted).toBe(true);
    expect(await storedOf(log)).toEqual([expect.stringContaining("message"), expect.stringContaining("channel")]);
    const again = await two.runs.start("chat", () => ["c"], { request: request() });
    expect(await eventsOf(again)).toEqual(["message c", ended]);
  });

  test("is kept by a producer that thinks for long", async () => {
    const log = memoryLog();
    const [one, two] = [openProcess(log), openProcess(log)];
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, { request: request() });
    const reader = await two.runs.resume("chat", request());
    await new Promise((resolve) => setTimeout(resolve, 4 * lease));
    producer.yield("a");
    producer.end();
    expect(await eventsOf(reader)).toEqual(["message a", ended]);
  });
});
