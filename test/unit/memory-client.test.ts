import { describe, expect, test } from "vitest";
import { collect, MemoryClient, type MemoryClientOptions } from "../../src/testing/index.ts";
import { openHub } from "../support/hub.ts";
import { openSource, request } from "../support/web.ts";

describe("collect", () => {
  test("reads a response to its end, or up to a number of events, and leaves", async () => {
    const finite = openSource();
    const whole = collect(finite.response());
    for (const n of [1, 2, 3]) finite.dispatch("n", n);
    await finite.close();
    expect((await whole).map(({ type, data }) => [type, data])).toEqual([1, 2, 3].map((n) => ["n", `${n}`]));

    const endless = openSource();
    const { body } = endless.response();
    for (const n of [1, 2, 3]) endless.dispatch("n", n);
    expect((await collect(body as ReadableStream<Uint8Array>, { limit: 2 })).map(({ data }) => data)).toEqual([
      "1",
      "2",
    ]);
    expect(endless.closeReason).toBe("disconnected");
  });

  test("leaves out the control events of a hub, unless they are asked for", async () => {
    const { hub } = openHub();
    const responses = [1, 2].map(() => hub.channel("a").response(request()));
    const open = await Promise.all(responses);
    await hub.channel("a").dispatch("n", 1);
    const [without, all] = await Promise.all(open.map((each, i) => collect(each, { limit: i + 1, control: i === 1 })));
    expect(without?.map(({ type }) => type)).toEqual(["n"]);
    expect(all?.map(({ type }) => type)).toEqual(["sse:checkpoint", "n"]);
  });

  test("does not wait longer than its deadline, and says what has come", async () => {
    const source = openSource();
    const response = source.response();
    source.dispatch("n", "the only one");
    await expect(collect(response, { limit: 2, timeout: 20 })).rejects.toThrow(/within 20 ms.*\["n","the only one"\]/);
    expect(source.closeReason).toBe("disconnected");
    await expect(collect(openSource().response(), { limt: 1 } as never)).rejects.toThrow(/limt/);
  });
});

describe("a client in memory", () => {
  test("gets events, leaves, and resumes after the last one", async () => {
    const { hub } = openHub();
    const news = hub.channel("news");
    const client = await new MemoryClient(news).connect();
    expect([client.status, client.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    await news.dispatch("n", 1);
    expect((await client.next()).data).toBe("1");
    await client.disconnect();
    for (const n of [2, 3]) await news.dispatch("n", n);
    await client.connect();
    expect([(await client.next()).data, (await client.next()).data]).toEqual(["2", "3"]);
    expect(client.events.map(({ data }) => data)).toEqual(["1", "2", "3"]);
    expect(client.controls.some(({ type }) => type === "sse:checkpoint")).toBe(true);
    expect(client.retry).toBeGreaterThan(0);
    await news.end();
    await client.end();
    expect(client.ended).toBe(true);
    await client.connect();
    expect(client.status).toBe(204);
    await expect(client.next()).rejects.toThrow(/ended/);
    await client.disconnect();
  });

  test("sends its headers and its position to any handler, and leaves as a client does", async () => {
    const seen: Record<string, string | null>[] = [];
    const handler = (incoming: Request) => {
      const { headers, url } = incoming;
      seen.push({ url, user: headers.get("x-user"), id: headers.get("last-event-id"), accept: headers.get("accept") });
      const source = openSource(undefined, {});
      source.dispatch("n", 1, { id: "7" });
      return source.response();
    };
    const options: MemoryClientOptions = {
      url: "http://localhost/a?b=1",
      headers: { "x-user": "ada" },
      lastEventId: "6",
    };
    await using client = new MemoryClient(handler, options);
    await client.connect();
    await client.next();
    expect(client.lastEventId).toBe("7");
    await client.connect();
    const common = { url: options.url, user: "ada", accept: "text/event-stream" };
    expect(seen).toEqual([
      { ...common, id: "6" },
      { ...common, id: "7" },
    ]);
  });

  test("does not wait longer than its deadline", async () => {
    const { hub } = openHub();
    await using client = await new MemoryClient(hub.channel("a"), { timeout: 20 }).connect();
    await expect(client.next()).rejects.toThrow(/within 20 ms/);
    await expect(client.until(() => false)).rejects.toThrow(/within 20 ms/);
    expect(() => new MemoryClient(hub.channel("a"), { lastEventID: "" } as never)).toThrow(/lastEventId/);
  });

  test("waits as long as its deadline says, even beyond the longest timer of the platform", async () => {
    const { hub } = openHub();
    const news = hub.channel("news");
    await using client = await new MemoryClient(news, { timeout: "30d" }).connect();
    const next = client.next();
    next.catch(() => {});
    // More than the 1 ms after which a timer that overflows fires.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await news.dispatch("n", "late");
    expect(await next).toMatchObject({ type: "n", data: "late" });
  });
});
