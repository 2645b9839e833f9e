import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TimeLimit } from "../../src/base/time-limit.ts";

const timeoutMs = 100;
const makeError = (ms: number) => new Error(`not within ${ms} ms`);

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("a time limit", () => {
  test("settles as the work does, through the handlers", async () => {
    const limit = new TimeLimit({ timeoutMs, makeError });
    expect(await limit.limit(Promise.resolve(1))).toBe(1);
    expect(await limit.limit(Promise.resolve(1), (value) => `${value}`)).toBe("1");
    await expect(limit.limit(Promise.reject(new Error("lost")))).rejects.toThrow("lost");
    const explain = (error: unknown) => {
      throw new Error(`explained: ${(error as Error).message}`);
    };
    await expect(limit.limit(Promise.reject(new Error("lost")), undefined, explain)).rejects.toThrow("explained: lost");
    expect(await limit.limit<unknown>(Promise.reject(new Error("lost")), undefined, () => "instead")).toBe("instead");
    limit.close();
  });

  test("fails work that takes longer, and ignores what becomes of it", async () => {
    const limit = new TimeLimit({ timeoutMs, makeError });
    const work = Promise.withResolvers<string>();
    const seen: unknown[] = [];
    const limited = limit.limit(
      work.promise,
      (value) => seen.push(value),
      (error) => seen.push((error as Error).message),
    );
    await vi.advanceTimersByTimeAsync(timeoutMs);
    await limited;
    work.resolve("late");
    await vi.advanceTimersByTimeAsync(timeoutMs);
    expect(seen).toEqual(["not within 100 ms"]);
    limit.close();
  });

  test("gives each work its own time, though one timer serves all of it", async () => {
    const limit = new TimeLimit({ timeoutMs, makeError });
    await limit.limit(Promise.resolve());
    await vi.advanceTimersByTimeAsync(60);
    const failure = expect(limit.limit(new Promise(() => {}))).rejects.toThrow("not within 100 ms");
    await vi.advanceTimersByTimeAsync(99);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await failure;
    limit.close();
  });

  test("rejects all work at once, and leaves no timer", async () => {
    const limit = new TimeLimit({ timeoutMs, makeError, keepsAlive: true });
    const works = [limit.limit(new Promise(() => {})), limit.limit(new Promise(() => {}))];
    limit.rejectAll(new Error("closed"));
    expect((await Promise.allSettled(works)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test.each([true, false])(
  "keeps the process alive while there is work, and only if it is to: %s",
  async (keepsAlive) => {
    const made = vi.spyOn(globalThis, "setTimeout");
    const limit = new TimeLimit({ timeoutMs, makeError, keepsAlive });
    const hasRef = () => (made.mock.results[0]?.value as NodeJS.Timeout | undefined)?.hasRef();
    for (const _ of [1, 2]) {
      const work = Promise.withResolvers<void>();
      const limited = limit.limit(work.promise);
      expect(hasRef()).toBe(keepsAlive);
      work.resolve();
      await limited;
      expect(hasRef()).toBe(false);
    }
    // One timer for all of it.
    expect(made).toHaveBeenCalledTimes(1);
    limit.close();
    made.mockRestore();
  },
);
