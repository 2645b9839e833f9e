/** How often the runs of a chat ask the log: each question is a round trip to a server, such as Redis. */
import { expect, test } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { controlledProducer, eventsOf, freezable, openProcess, overLog, storedOf } from "../../support/runs.ts";
import { request } from "../../support/web.ts";

/** Notes how many questions there are in a call, and how many of them wait for an answer to another one. */
function counting(log: CompleteLog) {
  const counts = { questions: 0, steps: 0, underWay: 0, states: 0 };
  const noted =
    <Arguments extends unknown[], Result>(call: (...args: Arguments) => Promise<Result>) =>
    async (...args: Arguments): Promise<Result> => {
      counts.questions++;
      if (counts.underWay++ === 0) counts.steps++;
      try {
        return await call(...args);
      } finally {
        counts.underWay--;
      }
    };
  const methods = {
    head: noted(log.head.bind(log)),
    last: noted(log.last.bind(log)),
    latestByKey: noted((...args: Parameters<CompleteLog["latestByKey"]>) => {
      counts.states++;
      return log.latestByKey(...args);
    }),
    read: noted(log.read.bind(log)),
  };
  return { log: overLog(log, methods), counts };
}

test("a chat is found in three steps, however many runs it has had, and by clients with a position, too", async () => {
  const log = memoryLog();
  const writing = openProcess(log);
  for (let run = 0; run < 20; run++) {
    await eventsOf(await writing.runs.start("chat", () => [`${run}`], { request: request() }));
  }
  const producer = controlledProducer();
  await writing.runs.start("chat", producer.produce, { request: request() });

  const { log: counted, counts } = counting(log);
  const { runs, hub } = openProcess(counted);
  const cost = async (call: () => Promise<unknown>) => {
    Object.assign(counts, { questions: 0, steps: 0 });
    await call();
    return { questions: counts.questions, steps: counts.steps };
  };
  // The tail of the hub has started, and the run is watched: neither belongs to the calls.
  await runs.state("chat");
  await hub.cursor();
  const found = { questions: 4, steps: 3 };
  expect(await cost(() => runs.find("chat"))).toEqual(found);
  expect(await cost(() => runs.state("chat"))).toEqual(found);
  expect(await cost(() => runs.find("none"))).toEqual({ questions: 2, steps: 2 });
  const reading = await writing.runs.resume("chat", request());
  producer.yield("a");
  producer.end();
  const [, id] = /^id: (.+)\ndata: a$/m.exec(await reading.text()) ?? [];
  await expect.poll(() => runs.state("chat")).toBe("ended");
  expect(await cost(() => runs.resume("chat", request()))).toEqual(found);
  // The state of the chat is read once for a position, too, before the hub reads the events after it.
  counts.states = 0;
  const response = await runs.resume("chat", request({ headers: { "last-event-id": `${id}` } }));
  await response.body?.cancel();
  expect(counts.states).toBe(1);
});

test("a run that shows signs of life is watched without a question, and is declared dead a lease after the last one", async () => {
  const log = memoryLog();
  const frozen = freezable(log);
  const leaseMs = 600;
  const one = openProcess(frozen.log, { lease: leaseMs });
  const { log: counted, counts } = counting(log);
  const two = openProcess(counted, { lease: leaseMs });
  const producer = controlledProducer();
  await one.runs.start("chat", producer.produce, { request: request() });
  const reader = eventsOf(await two.runs.resume("chat", request()));
  let isDead = false;
  void reader.then(() => {
    isDead = true;
  });
  // Longer than a lease in all. Each wait is shorter than one.
  const wait = (leases: number) => new Promise((resolve) => setTimeout(resolve, leases * leaseMs));
  for (const piece of ["a", "b", "c", "d"]) {
    await wait(0.4);
    producer.yield(piece);
  }
  await expect.poll(() => storedOf(log)).toContain("d");
  frozen.freeze();
  Object.assign(counts, { questions: 0 });
  // A timer of the same process: whatever else the machine has to do, it is not due before that of the watch.
  await wait(0.6);
  expect(counts.questions).toBe(0);
  expect(isDead).toBe(false);
  await wait(0.9);
  expect(isDead).toBe(true);
  frozen.thaw();
  await one.runs.close();
  one.errors.splice(0);
});
