import { EventSource, EventSourceSet } from "sourcecast";
import { compete } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

const connections = 1_000;
const dispatches = 300;
const text = `event: tick\ndata: ${"x".repeat(80)}\n\n`;

/** One event to 1,000 bodies of web responses, each with a waiting reader. */
export async function webFanOut() {
  const contenders = [
    { name: "by hand: enqueue() on each", run: () => measure(byHand()) },
    { name: "EventSourceSet.dispatch()", run: () => measure(bySet()) },
  ];
  printTable(`A delivery to one of ${connections} web sinks`, "ns", await compete(contenders, 9));
}

/** @returns {{ bodies: ReadableStream<Uint8Array>[], send: () => void, close: () => void }} */
function byHand() {
  /** @type {ReadableStreamDefaultController<Uint8Array>[]} */
  const controllers = [];
  const bodies = Array.from(
    { length: connections },
    () => new ReadableStream({ start: (controller) => void controllers.push(controller) }, { highWaterMark: 0 }),
  );
  const encoder = new TextEncoder();
  return {
    bodies,
    send() {
      const bytes = encoder.encode(text);
      for (const controller of controllers) controller.enqueue(bytes);
    },
    close() {
      for (const controller of controllers) controller.close();
    },
  };
}

function bySet() {
  const set = new EventSourceSet();
  const bodies = Array.from({ length: connections }, () => {
    const source = new EventSource(new Request("http://localhost/"));
    set.add(source);
    return /** @type {ReadableStream<Uint8Array>} */ (source.response().body);
  });
  return { bodies, send: () => void set.dispatch("tick", "x".repeat(80)), close: () => void set.closeAll() };
}

/** Processor time for each delivery in nanoseconds, from the dispatch until every reader has its bytes. @param {ReturnType<typeof byHand>} group */
async function measure({ bodies, send, close }) {
  const readers = bodies.map((body) => body.getReader());
  const wanted = dispatches * text.length;
  let finished = 0;
  const rounds = readers.map(async (reader) => {
    for (let bytes = 0; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      // An opening comment begins with a colon.
      if (value[0] === 58) continue;
      bytes += value.length;
      if (bytes >= wanted) finished++;
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const start = process.cpuUsage();
  for (let index = 0; index < dispatches; index++) {
    send();
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (finished < connections) await new Promise((resolve) => setImmediate(resolve));
  const { user, system } = process.cpuUsage(start);
  close();
  await Promise.all(rounds);
  return ((user + system) * 1_000) / (connections * dispatches);
}
