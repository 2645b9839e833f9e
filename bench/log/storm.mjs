// 10,000 clients that reconnect to one process at once, each with a channel of its own, of which some have missed an event.
import { createHub } from "../../dist/index.js";
import { interleave } from "../lib/interleave.mjs";
import { printFigures } from "../lib/table.mjs";
import { cpuBetween, serverCpu } from "./stores/store.mjs";

const clients = 10_000;
const missed = 1_000;
const channel = (/** @type {number} */ i) => `user-${i}`;

/** Compared with one question for each client, through an index by channel. @param {import("./compare.mjs").Bench} bench */
export async function storm({ session, folder }) {
  const log = session.log("storm");
  const writer = createHub({ log });
  const cursor = await writer.channel("start").dispatch("n", 0);
  await Promise.all(Array.from({ length: missed }, (_, i) => writer.channel(channel(i)).dispatch("n", i)));
  await writer.close();
  const hand = await session.byHand("storm");
  await Promise.all(Array.from({ length: missed }, (_, i) => hand.publish(String(i), channel(i))));

  /** @type {Record<string, () => Promise<unknown>>} */
  const contenders = {
    "by hand": () => Promise.all(Array.from({ length: clients }, (_, i) => hand.read(channel(i)))),
    "the log": async () => {
      // A process that has just started has none of the events in its memory.
      const hub = createHub({ log: session.log("storm"), limits: { connections: clients } });
      await Promise.all(Array.from({ length: clients }, (_, i) => resume(hub, channel(i), cursor, i < missed)));
      await hub.close();
    },
  };
  const measure = async (/** @type {string} */ name) => {
    const [before, own, start] = [serverCpu(folder), process.cpuUsage(), performance.now()];
    await contenders[name]?.();
    const { user, system } = process.cpuUsage(own);
    return {
      seconds: (performance.now() - start) / 1_000,
      process: (user + system) / 1e6,
      database: cpuBetween(before, serverCpu(folder)) / 1e6,
    };
  };
  for (const name of Object.keys(contenders)) await measure(name);
  const results = await interleave(Object.keys(contenders), 3, measure, () => {});
  printFigures(`${clients} clients reconnect to one process`, results, {
    seconds: "s",
    process: "s of processor",
    database: "s of processor",
  });
}

/** Reads a response until the client has what it missed, or knows that it missed nothing. */
async function resume(
  /** @type {import("../../dist/index.js").Hub} */ hub,
  /** @type {string} */ channel,
  /** @type {string} */ cursor,
  /** @type {boolean} */ hasMissed,
) {
  const request = new Request("http://localhost/", { headers: { "last-event-id": cursor } });
  const { body } = await hub.response(request, { channels: [channel] });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (body).getReader();
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes(hasMissed ? "event: n" : "sse:checkpoint"); ) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The stream of ${channel} ended: ${text}`);
    text += decoder.decode(value);
  }
  await reader.cancel();
}
