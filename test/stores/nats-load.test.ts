import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { LogEntry } from "../../src/log/log.ts";
import { natsLog } from "../../src/logs/nats/index.ts";
import { at, entry, range } from "../../src/testing/log/ask.ts";
import { connectNats, requestNats, startNats } from "../support/stores/nats-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let server: StoreServer;
let connection: NatsConnection;

beforeAll(async () => {
  server = await startNats();
  connection = await connectNats(server);
});

afterAll(async () => {
  await connection?.close();
  await server?.[Symbol.asyncDispose]();
});

/** The connection, whose answers to requests can be delayed while messages of consumers arrive. */
class DelayedAnswers {
  readonly connection: NatsConnection;
  /** Everything that was asked. */
  readonly questions: string[] = [];
  /** The inboxes of questions that the server has not answered. */
  readonly unanswered = new Set<string>();
  /** Answers that wait for their release, in their order. `null` while none is delayed. */
  delayed: (() => void)[] | null = null;

  constructor(original: NatsConnection) {
    const bound = (name: "status" | "isClosed" | "request") => (original[name] as () => unknown).bind(original);
    this.connection = Object.create(original, {
      status: { value: bound("status") },
      isClosed: { value: bound("isClosed") },
      request: { value: bound("request") },
      publish: {
        value: ((subject, payload, options) => {
          this.questions.push(subject);
          if (options?.reply !== undefined) this.unanswered.add(options.reply);
          original.publish(subject, payload, options);
        }) satisfies NatsConnection["publish"],
      },
      subscribe: {
        value: ((subject, options) => {
          const callback = (error: Error | null, message: Msg) => {
            const deliver = () => options?.callback?.(error, message);
            this.unanswered.delete(message.subject);
            // Answers arrive at the inbox of all requests.
            if (this.delayed !== null && subject.endsWith(".*")) this.delayed.push(deliver);
            else deliver();
          };
          return original.subscribe(subject, { ...options, callback });
        }) satisfies NatsConnection["subscribe"],
      },
    });
  }

  release(): void {
    const delayed = this.delayed ?? [];
    this.delayed = null;
    for (const deliver of delayed) deliver();
  }
}

test("an answer that is older than the messages since its question does not replace the consumer", async () => {
  const answers = new DelayedAnswers(connection);
  const log = natsLog({ connection: answers.connection, stream: "late-answer" });
  const publisher = natsLog({ connection, stream: "late-answer" });
  const tail: LogEntry[] = [];
  log.tail(
    await at(log, 0),
    ({ entries }) => tail.push(...entries),
    (error) => expect.unreachable(String(error)),
  );
  await publisher.append([entry("a", "1")]);
  await vi.waitFor(() => expect(tail).toHaveLength(1));
  answers.delayed = [];
  const head = log.head();
  await vi.waitFor(() => expect(answers.delayed?.length).toBeGreaterThan(0));
  await vi.waitFor(() => expect(answers.unanswered.size).toBe(0));
  for (const i of range(2, 5)) await publisher.append([entry("a", `${i}`)]);
  await vi.waitFor(() => expect(tail).toHaveLength(5));
  answers.release();
  expect((await head).top).toBe(1);
  await publisher.append([entry("a", "6")]);
  await vi.waitFor(() => expect(tail).toHaveLength(6));
  expect(answers.questions.filter((question) => question.includes(".CONSUMER.CREATE."))).toHaveLength(1);
  await log.close();
  await publisher.close();
});

test("entries are removed a few times a second, however fast others come, and until none exceeds the limit", async () => {
  const { connection: counted, questions } = new DelayedAnswers(connection);
  const log = natsLog({ connection: counted, stream: "busy", maxEvents: 10 });
  await log.head();
  const start = performance.now();
  let top = 0;
  while (questions.filter((question) => question.includes(".STREAM.PURGE.")).length < 3) {
    const [appended] = await log.append([entry("a", "x")]);
    top = appended?.offset ?? 0;
  }
  // Each is 200 ms after the one before at the earliest, and the first one after the first append.
  expect(performance.now() - start).toBeGreaterThan(3 * 200);
  // From here on, nothing is appended, and nothing asks the log. The message before the oldest entry stands for the floor.
  const first = async () => {
    const { state } = await requestNats<{ state: { first_seq: number } }>(connection, "STREAM.INFO.busy");
    return state.first_seq;
  };
  await vi.waitFor(async () => expect(await first()).toBe(top - 10), { timeout: 10_000 });
  await log.close();
});
