import { createEventBuffer } from "better-sse";
import { encode } from "eventsource-encoder";
import { encodeEvent } from "sourcecast/wire";
import { compete } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

const events = 50_000;

/** The text of an event, for one of 100 bytes and one of 3 kB with a line break in every hundred characters. */
export async function encoding() {
  const short = JSON.stringify({ id: 123456, title: "Rain tomorrow", text: "x".repeat(50) });
  const long = Array.from({ length: 30 }, (_, line) => `${line} `.padEnd(99, "abcdefghij")).join("\n");
  const json = JSON.stringify({ text: "x".repeat(3_000) });
  for (const [name, data] of [
    [`${short.length} B`, short],
    ["3 kB of JSON", json],
    ["3 kB in 30 lines", long],
  ]) {
    const results = await compete(
      [
        { name: "sourcecast", run: () => time((id) => encodeEvent({ type: "headline", id, data })) },
        {
          name: "eventsource-encoder",
          run: () => time((id) => encode({ event: "headline", id: String(id), data })),
        },
        {
          name: "better-sse",
          run: () => time((id) => createEventBuffer({ serializer: String }).push(data, "headline", String(id)).read()),
        },
      ],
      15,
    );
    printTable(`Encoding an event of ${name}`, "ns", results);
  }
}

/** @param {(id: number) => string} encodeOne */
function time(encodeOne) {
  let length = 0;
  const start = process.hrtime.bigint();
  for (let id = 0; id < events; id++) length += encodeOne(id).length;
  const elapsed = Number(process.hrtime.bigint() - start);
  if (length < events) throw new Error("Nothing was encoded");
  return elapsed / events;
}
