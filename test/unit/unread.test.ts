import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { resetWarnings } from "../../src/base/warn.ts";
import { createHub, EventSource, EventSourceSet, type SourceOptions } from "../../src/index.ts";
import { expectConsole } from "../support/console.ts";
import { BodyReader, request, tick } from "../support/web.ts";

const sources: EventSource[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
  // The notice comes once in a process.
  resetWarnings();
});

afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.close()));
  vi.useRealTimers();
});

function open(init?: Parameters<typeof request>[0], options?: SourceOptions): EventSource {
  const source: EventSource = new EventSource(request(init), options);
  sources.push(source);
  return source;
}

async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  await tick();
}

const minute = 60_000;
const notice =
  /EventSource for \/events was created 10 s ago.*Return source\.response\(\) from the route.*openEventSource/;

describe("a body that no client reads", () => {
  test("is reported after 10 s, with the path and the fix", async () => {
    const lines = expectConsole(notice);
    open({ query: "?token=secret" }).dispatch("t", 1);
    await pass(9_999);
    expect(lines).toHaveLength(0);
    await pass(1);
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toContain("secret");
  });

  test("is noticed too where response() was called and its result went nowhere", async () => {
    expectConsole(notice);
    open().response();
    await pass(10_000);
  });

  test("is noticed while the source is busy, and without keep-alive", async () => {
    expectConsole(notice);
    const source = open({}, { keepAlive: false });
    for (let n = 0; n < 10; n++) {
      source.dispatch("t", n);
      await pass(1_000);
    }
  });

  test("is noticed of a hub's response", async () => {
    expectConsole(notice);
    await using hub = createHub();
    await hub.response(request(), { channels: ["a"] });
    await pass(10_000);
  });

  test("is noticed once, however many there are", async () => {
    const lines = expectConsole(notice);
    for (let n = 0; n < 20; n++) {
      open().response();
      await pass(1_000);
    }
    await pass(minute);
    expect(lines).toHaveLength(1);
  });

  test("is given up after five minutes: the source closes as unread, and leaves its set", async () => {
    expectConsole(notice);
    // The check shares the wake-ups of the keep-alives: one falls on the five minutes. Bun's default would make it 304 s.
    const source = open({}, { keepAlive: "15s" });
    const set = new EventSourceSet();
    set.add(source);
    const closed = vi.fn();
    source.addEventListener("close", ({ reason }) => closed(reason));
    // A timer is rounded up to whole milliseconds, which Bun's clock does not begin at.
    await pass(5 * minute - 10);
    expect(closed).not.toHaveBeenCalled();
    await pass(20);
    expect(closed.mock.calls).toEqual([["unread"]]);
    expect([set.size, vi.getTimerCount()]).toEqual([0, 0]);
  });
});

describe("nothing is noticed", () => {
  const read = async (response: Response) => void (await new BodyReader(response).read());
  test.each<[string, (source: EventSource) => unknown]>([
    ["of one that is read", (source) => read(source.response())],
    ["of one that a client is about to read", (source) => source.response().body?.getReader()],
    ["of one that was passed on through another stream", (source) => source.response().body?.pipeThrough(through())],
    ["of one whose body is that of another response", (source) => read(new Response(source.response().body))],
    ["of one that was cloned", (source) => read(source.response().clone())],
    ["of one that its reader cancelled", (source) => source.response().body?.cancel()],
    ["of one that was closed", (source) => source.close()],
  ])("%s", async (_, act) => {
    const source = open();
    await pass(5_000);
    await act(source);
    await pass(60 * minute);
    expect(["closed", "disconnected", null]).toContain(source.closeReason);
  });

  test.each([10, 50_000, 200_000])(
    "of one that was read by a reader that released it, events of %d bytes",
    async (length) => {
      const source = open({}, { keepAlive: false });
      const reader = (source.response().body as ReadableStream).getReader();
      for (let n = 0; n < 3; n++) {
        source.dispatch("t", "x".repeat(length));
        await tick();
        await reader.read();
      }
      reader.releaseLock();
      source.dispatch("t", "x".repeat(length));
      await pass(60 * minute);
      expect(source.closeReason).toBe(null);
    },
  );

  test("of a request that gets no stream", async () => {
    open({ method: "HEAD" }).response();
    open({ headers: { accept: "text/html" } }, { negotiate: true }).response();
    await pass(60 * minute);
  });

  test("of a client that had left already", async () => {
    const signal = AbortSignal.abort();
    open({ signal }).response();
    await pass(60 * minute);
  });
});

test("a response that is returned late, after the notice, is whole", async () => {
  expectConsole(notice);
  const source = open();
  source.dispatch("t", 1);
  await pass(4 * minute);
  const client = new BodyReader(source.response());
  expect((await client.next()).data).toBe("1");
  await pass(10 * minute);
  source.dispatch("t", 2);
  expect((await client.next()).data).toBe("2");
});

test("bodies that are read cost one check on the existing timer", async () => {
  const clients = Array.from({ length: 100 }, () => new BodyReader(open({}, { keepAlive: "30s" }).response()));
  for (const client of clients) void client.rest();
  expect(vi.getTimerCount()).toBe(1);
  const timeout = vi.spyOn(globalThis, "setTimeout");
  await pass(29_000);
  expect(timeout.mock.calls.length).toBeLessThanOrEqual(2);
  timeout.mockRestore();
});

function through(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  return new TransformStream();
}
