import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createHub, EventSource } from "../../src/index.ts";
import { root } from "../support/package.ts";
import { BodyReader, openWeb, tick } from "../support/web.ts";

/** Comments since the one of the opening. */
const beats = (client: BodyReader) => client.parser.comments.length - 1;

/** Lets time pass, and what is due leave. */
async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  await tick();
}

/** A client that reads whatever comes. */
function openReading(...args: Parameters<typeof openWeb>) {
  const exchange = openWeb(...args);
  void exchange.client.rest();
  return exchange;
}

describe("rule 16: a comment after idle time", () => {
  beforeEach(
    () =>
      void vi.useFakeTimers({
        toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"],
      }),
  );
  afterEach(() => void vi.useRealTimers());

  test("of 30 s by default, of 8 s on Bun, exactly, repeatedly", async () => {
    const silence = "Bun" in globalThis ? 8_000 : 30_000;
    const { client } = openReading();
    await pass(silence - 1);
    expect(beats(client)).toBe(0);
    await pass(1);
    expect(beats(client)).toBe(1);
    await pass(silence - 1);
    expect(beats(client)).toBe(1);
    await pass(1);
    expect(beats(client)).toBe(2);
    await pass(10 * silence);
    expect(beats(client)).toBe(12);
    expect(client.parser.events).toEqual([]);
    expect(client.parser.lastEventId).toBe("");
  });

  test("of two months, though no timer of a platform waits for longer than 25 days", async () => {
    const day = 86_400_000;
    const { client } = openReading({ keepAlive: "60d" });
    await pass(60 * day - 1);
    expect(beats(client)).toBe(0);
    await pass(1);
    expect(beats(client)).toBe(1);
  });

  test("rule 9: which is a line that no blank line follows", async () => {
    const { client } = openReading({ keepAlive: 100 });
    await pass(100);
    await pass(100);
    expect(client.text).toMatch(/^: keep-alive 100\nretry: \d+\n:\n:\n$/);
  });

  test("of the length that was asked for", async () => {
    const [ms, text] = [openReading({ keepAlive: 700 }), openReading({ keepAlive: "1.5s" })];
    await pass(700);
    expect([beats(ms.client), beats(text.client)]).toEqual([1, 0]);
    await pass(700);
    expect([beats(ms.client), beats(text.client)]).toEqual([2, 0]);
    await pass(175);
    expect(beats(text.client)).toBe(1);
  });

  test("is not an event and takes no id", async () => {
    const { source, client } = openReading({ keepAlive: "30s" });
    source.dispatch("t", 1, { id: "7" });
    await pass(30_000);
    source.dispatch("t", 2);
    await pass(0);
    expect(client.parser.events.map((event) => event.lastEventId)).toEqual(["7", "7"]);
    expect(beats(client)).toBe(1);
  });

  test("never, with false, and then the opening does not promise it (rule 17)", async () => {
    const { client } = openReading({ keepAlive: false });
    await pass(10_000_000);
    expect(vi.getTimerCount()).toBe(0);
    expect(beats(client)).toBe(0);
    expect(client.text).not.toContain("keep-alive");
  });

  test("every write pushes it back: events and comments", async () => {
    const { source, client } = openReading({ keepAlive: "30s" });
    await pass(20_000);
    source.dispatch("t");
    await pass(0);
    await pass(20_000);
    source.dispatchComment("c");
    await pass(0);
    await pass(29_999);
    expect(beats(client)).toBe(1);
    await pass(1);
    expect(beats(client)).toBe(2);
  });

  test("a client that stalls gets none on top of what it has not read, and one again when it reads", async () => {
    const { source, client } = openWeb();
    await client.read();
    source.dispatch("t", 1);
    const buffered = source.bufferedAmount;
    await pass(120_000);
    expect(source.bufferedAmount).toBe(buffered);
    void client.rest();
    await pass(30_000);
    expect(beats(client)).toBeGreaterThanOrEqual(1);
  });

  test("one that has read nothing at all does not collect them", async () => {
    const { source } = openWeb();
    const buffered = source.bufferedAmount;
    await pass(3_000_000);
    expect(source.bufferedAmount).toBe(buffered);
  });

  test("one timer serves all sources, whatever their silences, and none is left without sources", async () => {
    expect(vi.getTimerCount()).toBe(0);
    const sources = Array.from({ length: 200 }, (_, n) => openReading({ keepAlive: 10_000 + (n % 7) * 1_000 }).source);
    expect(vi.getTimerCount()).toBe(1);
    await pass(100_000);
    expect(vi.getTimerCount()).toBe(1);
    for (const source of sources.splice(0, 199)) void source.close();
    expect(vi.getTimerCount()).toBe(1);
    void sources[0]?.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("sources due at scattered moments share wakings, and none waits longer than a twentieth more", async () => {
    const wakings = vi.spyOn(globalThis, "setTimeout");
    const clients: BodyReader[] = [];
    for (let n = 0; n < 100; n++) {
      clients.push(openReading({ keepAlive: "30s" }).client);
      await pass(300);
    }
    wakings.mockClear();
    let late = 0;
    for (let time = 0; time < 31_500; time += 100) {
      await pass(100);
      for (const [n, client] of clients.entries()) if (beats(client) === 0) late = Math.max(late, time + 100 - n * 300);
    }
    for (const client of clients) expect(beats(client)).toBeGreaterThan(0);
    expect(late).toBeLessThanOrEqual(30_000 * 1.05);
    expect(wakings.mock.calls.length).toBeLessThan(40);
    wakings.mockRestore();
  });

  test("a source that opens later with a shorter interval is not kept waiting", async () => {
    openReading({ keepAlive: 60_000 });
    await pass(1_000);
    const { client } = openReading({ keepAlive: 5_000 });
    await pass(5_000);
    expect(beats(client)).toBe(1);
  });

  test("after the client has left nothing is due", async () => {
    const { source, client } = openWeb();
    await client.leave();
    expect([source.readyState, vi.getTimerCount()]).toEqual([EventSource.CLOSED, 0]);
  });
});

test("rule 17: the opening announces the interval, so that a client's watchdog need not guess", async () => {
  const { client } = openWeb({ keepAlive: "15s" });
  await client.read();
  expect(client.parser.comments).toEqual(["keep-alive 15000"]);
});

test("a hub keeps connections alive twice as often, since proxies and watchdogs give up at 30 s", async () => {
  const hub = createHub();
  const client = new BodyReader(await hub.response(new Request("http://localhost/"), { channels: ["a"] }));
  await client.read();
  expect(client.parser.comments).toEqual([`keep-alive ${"Bun" in globalThis ? 8_000 : 15_000}`]);
  await client.leave();
  await hub.close();
});

test("an open source does not hold the process, nor does an import", async () => {
  const script = `
    import { EventSource } from "./src/index.ts";
    globalThis.source = new EventSource(new Request("http://localhost/"), { keepAlive: 60_000 });
    globalThis.response = globalThis.source.response();
    globalThis.source.dispatch("t", 1);
    process.on("exit", () => console.log("open until the end:", globalThis.source.readyState));
  `;
  const run = "Deno" in globalThis ? "eval" : "-e";
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [run, script], {
    cwd: root,
    timeout: 4_000,
  });
  expect(stdout).toBe("open until the end: 1\n");
  expect(stderr).toBe("");
});
