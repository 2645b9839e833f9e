import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import {
  EventSource,
  ServerSentEvent,
  SourceCloseEvent,
  SourceErrorEvent,
  type SourceEventMap,
} from "../../src/index.ts";
import { WebSink } from "../../src/sinks/web.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { openHub } from "../support/hub.ts";
import { openSource, openWeb, request, tick, url } from "../support/web.ts";

const lifeTypes = ["open", "close", "error", "overflow", "drain"] as const satisfies (keyof SourceEventMap)[];

describe("the events of a source's own life", () => {
  test("open is dispatched once to each listener added right after construction", async () => {
    const source = openSource();
    const first = vi.fn();
    const second = vi.fn();
    source.addEventListener("open", first);
    source.addEventListener("open", second);
    expect(first).not.toHaveBeenCalled();
    await tick();
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
  });

  test("open is not dispatched by a source that was closed before", async () => {
    const source = openSource();
    const heard = vi.fn();
    source.addEventListener("open", heard);
    void source.close();
    source.addEventListener("open", heard);
    await tick();
    expect(heard).not.toHaveBeenCalled();
  });

  test("close is dispatched with its reason, to a function, an object, once and with a signal", async () => {
    const source = openSource();
    const reasons: string[] = [];
    source.addEventListener("close", function (event) {
      expect(this).toBe(source);
      reasons.push(`function ${event.reason}`);
    });
    source.addEventListener("close", { handleEvent: (event) => reasons.push(`object ${event.reason}`) });
    source.addEventListener("close", (event) => reasons.push(`once ${event.reason}`), { once: true });
    source.addEventListener("close", () => reasons.push("never"), { signal: AbortSignal.abort() });
    const removed = () => reasons.push("removed");
    source.addEventListener("close", removed);
    source.removeEventListener("close", removed);
    await source.close("enough");
    expect(reasons).toEqual(["function enough", "object enough", "once enough"]);
  });

  test("at close the source is closed already: its methods are safe to call from the listener", async () => {
    const source = openSource();
    const heard = vi.fn((event: SourceCloseEvent) => {
      expect(event).toBeInstanceOf(SourceCloseEvent);
      expect([source.readyState, source.signal.aborted, source.dispatch("t")]).toEqual([2, true, false]);
      void source.close("again");
    });
    source.addEventListener("close", heard);
    await source.close();
    expect(heard).toHaveBeenCalledOnce();
  });

  test("the abort of its signal and the close event come once each", async () => {
    const { source, client } = openWeb();
    const order: string[] = [];
    source.signal.addEventListener("abort", () => order.push("abort"));
    source.addEventListener("close", () => order.push("close"));
    await client.leave();
    await source.close();
    expect(order.sort()).toEqual(["abort", "close"]);
  });
});

describe("wire events of the same name", () => {
  test.each(lifeTypes)("dispatch(%j) reaches the client and no local listener", async (type) => {
    const { source, client } = openWeb();
    await tick();
    const heard = vi.fn();
    source.addEventListener(type, heard);
    await tick();
    heard.mockClear();
    expect(source.dispatch(type, "x")).toBe(true);
    expect(source.dispatchEvent(new ServerSentEvent(type, "y"))).toBe(true);
    expect(await client.next()).toMatchObject({ type, data: "x" });
    expect(await client.next()).toMatchObject({ type, data: "y" });
    expect(heard).not.toHaveBeenCalled();
    expect(source.readyState).toBe(1);
  });
});

describe("dispatchEvent", () => {
  test("is dispatched locally first, then written", async () => {
    const { source, client } = openWeb();
    const heard: string[] = [];
    source.addEventListener("ping", (event) => {
      expect(event.target).toBe(source);
      heard.push(event.data);
      source.dispatch("before", "1");
    });
    expect(source.dispatchEvent(new ServerSentEvent("ping", { n: 1 }, { id: "7" }))).toBe(true);
    expect(heard).toEqual(['{"n":1}']);
    expect((await client.next()).type).toBe("before");
    expect(await client.next()).toEqual({ type: "ping", data: '{"n":1}', lastEventId: "7" });
  });

  test("preventDefault keeps a cancelable event from the wire", async () => {
    const { source, client } = openWeb();
    source.addEventListener("ping", (event) => event.preventDefault());
    expect(source.dispatchEvent(new ServerSentEvent("ping", "cancelled", { cancelable: true }))).toBe(false);
    expect(source.dispatchEvent(new ServerSentEvent("ping", "sent"))).toBe(true);
    expect((await client.next()).data).toBe("sent");
  });

  test("a listener that closes the source has the last word", async () => {
    const { source, client } = openWeb();
    source.addEventListener("ping", () => void source.close());
    expect(source.dispatchEvent(new ServerSentEvent("ping"))).toBe(false);
    expect(await client.rest()).toEqual([]);
  });

  test("one event may be sent by many sources, and again", async () => {
    const event = new ServerSentEvent("ping", "x");
    const pairs = [openWeb(), openWeb()];
    for (const { source } of [...pairs, ...pairs]) expect(source.dispatchEvent(event)).toBe(true);
    for (const { client } of pairs)
      expect([(await client.next()).data, (await client.next()).data]).toEqual(["x", "x"]);
  });

  test("any other event is for local listeners alone", async () => {
    const { source, client } = openWeb();
    const heard = vi.fn();
    source.addEventListener("mine", heard);
    expect(source.dispatchEvent(new Event("mine"))).toBe(true);
    expect(source.dispatchEvent(new Event("mine", { cancelable: true }))).toBe(true);
    void source.close();
    expect(heard).toHaveBeenCalledTimes(2);
    expect(await client.rest()).toEqual([]);
  });
});

describe("a disconnect: close is dispatched exactly once, as disconnected, and prints nothing", () => {
  /** Each way on its own, then with all others after it. */
  function ways() {
    const controller = new AbortController();
    const { source, client } = openWeb({}, { signal: controller.signal });
    const heard: string[] = [];
    source.addEventListener("close", (event) => heard.push(event.reason));
    return {
      source,
      heard,
      "the signal of the request": () => controller.abort(),
      "cancel() of the body": () => client.leave(),
      "cancel() of the body while it is being read": async () => {
        await client.read();
        const reading = client.read();
        await client.leave();
        await reading;
      },
    };
  }
  const names = [
    "the signal of the request",
    "cancel() of the body",
    "cancel() of the body while it is being read",
  ] as const;

  test.each(names)("%s", async (name) => {
    const all = ways();
    all.source.dispatch("t", "never read");
    await all[name]();
    expect(all.heard).toEqual(["disconnected"]);
    expect(all.source).toMatchObject({ readyState: 2, closeReason: "disconnected", bufferedAmount: 0 });
    expect(all.source.dispatch("t")).toBe(false);
    all["the signal of the request"]();
    await all.source.close();
    expect(all.heard).toEqual(["disconnected"]);
  });

  test("close() first, then the client: the reason stays", async () => {
    const all = ways();
    void all.source.close("enough");
    await all["cancel() of the body"]();
    all["the signal of the request"]();
    expect(all.heard).toEqual(["enough"]);
  });

  test("leaves no listener on the signal of the request", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const source = new EventSource({ url, headers: new Headers(), signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    controller.abort();
    expect(source.readyState).toBe(2);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

test("a background error is dispatched as error, with the thrown value", async () => {
  const source = openSource();
  const errors: unknown[] = [];
  source.addEventListener("error", (event) => {
    expect(event).toBeInstanceOf(SourceErrorEvent);
    errors.push(event.error);
  });
  const failure = new Error("producer");
  await source.pipe(
    (async function* () {
      yield "a";
      throw failure;
    })(),
  );
  expect(errors).toEqual([failure]);
});

test("a source without listeners stays silent about everything", async () => {
  const controller = new AbortController();
  const source = openSource({ onOverflow: "drop", maxBufferedBytes: 0 }, { signal: controller.signal });
  expect(source.dispatch("t")).toBe(false);
  const piped = await source.pipe(
    (async function* () {
      yield "a";
      throw new Error("unheard");
    })(),
  );
  expect(piped).toMatchObject({ ended: "failed", events: 1 });
  controller.abort();
  await source.close();
});

test("a stream keeps the handle of its application only for a listener: the hub needs none", async () => {
  const { hub } = openHub();
  const open = async () => hub.open({ request: request(), sink: new WebSink(undefined) }, { channels: ["a"] });
  const unused: WeakRef<object>[] = [];
  const used: WeakRef<object>[] = [];
  const heard: string[] = [];
  // In a function of its own: a local variable would keep the last source.
  const openAll = async () => {
    for (let n = 0; n < 10; n++) unused.push(new WeakRef((await open()) as object));
    const source = (await open()) as EventSource;
    source.addEventListener("close", ({ reason }) => heard.push(reason));
    used.push(new WeakRef(source));
  };
  await openAll();
  await vi.waitFor(async () => {
    await tick();
    collectGarbage();
    expect(unused.filter((source) => source.deref() !== undefined).length).toBe(0);
  });
  expect(used[0]?.deref()).toBeInstanceOf(EventSource);
  await hub.close();
  expect(heard).toEqual(["closed"]);
});
