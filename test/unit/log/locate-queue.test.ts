import { expect, test } from "vitest";
import { type Located, type LocateQuestion, LocateQueue } from "../../../src/log/index.ts";

const head = { epoch: "e", top: 0, witness: 1, floor: { offset: 0, witness: 1 } };

function question(offset: number): LocateQuestion {
  return { cursor: { epoch: "e", offset, witness: 1 }, selection: { channels: [], prefixes: [] } };
}

/** A store that answers when it is told to, with the offset of each question. */
function slowStore() {
  const calls: { questions: readonly LocateQuestion[]; answer(): void; fail(error: Error): void }[] = [];
  const queue = new LocateQueue((questions) => {
    return new Promise<Located>((resolve, reject) => {
      const answers = questions.map(
        ({ cursor }) => ({ verification: "same", ends: [], trimmed: cursor?.offset ?? 0, hasValues: false }) as const,
      );
      calls.push({ questions, answer: () => resolve({ head, answers }), fail: reject });
    });
  });
  return { queue, calls };
}

test("questions that come while the store answers share its next call, and each gets its own answers", async () => {
  const { queue, calls } = slowStore();
  const asked = Array.from({ length: 20 }, (_, i) => queue.locate([question(i), question(i + 100)]));
  expect(calls.map(({ questions }) => questions.length)).toEqual([2, 2]);
  calls[0]?.answer();
  await asked[0];
  expect(calls.map(({ questions }) => questions.length)).toEqual([2, 2, 36]);
  for (const { answer } of calls) answer();
  const trimmed = (await Promise.all(asked)).map(({ answers }) => answers.map((each) => each.trimmed));
  expect(trimmed).toEqual(Array.from({ length: 20 }, (_, i) => [i, i + 100]));
});

test("a call that fails rejects its own questions, and the next ones are asked", async () => {
  const { queue, calls } = slowStore();
  const asked = [1, 2, 3].map((offset) => queue.locate([question(offset)]));
  const outcomes = Promise.allSettled(asked);
  calls[0]?.fail(new Error("cut"));
  await expect(asked[0]).rejects.toThrow("cut");
  await Promise.resolve();
  for (const { answer } of calls) answer();
  expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
});

test("a call has a bounded number of questions, and at least those of one caller", async () => {
  const { queue, calls } = slowStore();
  const many = Array.from({ length: 3_000 }, (_, i) => question(i));
  const asked = [
    queue.locate([question(1)]),
    queue.locate([question(2)]),
    queue.locate(many),
    queue.locate([question(3)]),
  ];
  calls[0]?.answer();
  await asked[0];
  expect(calls.map(({ questions }) => questions.length)).toEqual([1, 1, 3_000]);
  calls[1]?.answer();
  await asked[1];
  expect(calls.at(-1)?.questions.length).toBe(1);
  for (const { answer } of calls) answer();
  await Promise.all(asked);
});
