import { expect, test } from "vitest";
import { pageThrough } from "../contracts/proxy/page.ts";
import { serveThrough } from "../contracts/proxy/serving-suite.ts";
import { start, streamThrough } from "../contracts/proxy/stream.ts";
import { within } from "../support/deadline.ts";
import { haproxy } from "../support/proxies/haproxy.ts";

const except = { "nothing is left behind": "HAProxy keeps connections to the server for later clients" };
// With its defaults HAProxy looks whether a client is there when it has something for it.
serveThrough(haproxy, { except }, { KEEP_ALIVE: "50ms" });
streamThrough(haproxy);
pageThrough(haproxy, { cutsAtReload: true });

test("without TLS it delays each event for a while, unless an option forbids it", async () => {
  const [held, prompt] = [await timeOfFive(false), await timeOfFive(true)];
  expect(prompt * 2).toBeLessThan(held);
});

/** How long five events take, each said when the one before has come. */
async function timeOfFive(prompt: boolean): Promise<number> {
  const [server, open] = await start(haproxy, { prompt });
  const client = await within(10_000, "the first byte", open({ path: "/quiet" }).opened());
  const began = performance.now();
  for (let n = 0; n < 5; n++) {
    await server.say(String(n));
    await within(10_000, `event ${n}`, client.next());
  }
  return performance.now() - began;
}
