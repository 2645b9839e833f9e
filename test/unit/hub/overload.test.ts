import { expect, test } from "vitest";
import { createHub } from "../../../src/index.ts";

const request = () => new Request("http://localhost/events");

test("over a limit a route may answer with the status, for clients other than a native EventSource", async () => {
  await using hub = createHub({ limits: { connections: 0 } });
  const response = await hub.response(request(), { channels: ["a"], rejectOverload: true });
  expect(response.status).toBe(503);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThanOrEqual(5);
  expect(await response.text()).toBe("");
  expect(hub.stats().refused).toEqual({ connections: 1 });
});

test("a snapshot without a position has the one at which it was asked for", async () => {
  const asked: string[] = [];
  await using hub = createHub({
    snapshot: async (_request, _channels, cursor) => {
      asked.push(cursor);
      await hub.channel("a").dispatch("n", "while the state is read");
      return { events: [{ type: "state", data: "all" }] };
    },
  });
  await hub.channel("a").dispatch("n", "before");
  const position = await hub.cursor();
  const response = await hub.response(new Request("http://localhost/?lastEventId=another.1.1"), { channels: ["a"] });
  const reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>)
    .pipeThrough(new TextDecoderStream())
    .getReader();
  let text = "";
  while (!text.includes("while the state is read")) text += (await reader.read()).value;
  expect(asked).toEqual([position]);
  expect(text).toMatch(new RegExp(`sse:reset[^]*data: all[^]*sse:checkpoint\\nid: ${position}\\n[^]*while the state`));
  await reader.cancel();
});
