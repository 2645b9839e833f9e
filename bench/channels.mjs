// A hub with many channels and one subscriber each, on web responses that are read in the same process, since no machine has
// so many sockets. Spoken to in lines of JSON.
import { createInterface } from "node:readline";
import { createHub } from "sourcecast";

const hub = createHub();
/** @type {import("sourcecast").Channel[]} */
const channels = [];
let heard = 0;

const commands = {
  async open(/** @type {{ count: number }} */ { count }) {
    for (let index = 0; index < count; index++) {
      const channel = hub.channel(`channel/${index}`);
      channels.push(channel);
      void read(await channel.response(new Request("http://localhost/events")));
    }
    // A newcomer is told its position after a second.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    return {};
  },
  /** Events one after the other, `step` channels further each: microseconds for each until its subscriber has read it. */
  async publish(/** @type {{ events: number, step: number }} */ { events, step }) {
    const data = "x".repeat(100);
    const cpu = process.cpuUsage();
    for (let sent = 0; sent < events; sent++) {
      const wanted = heard + 1;
      await channels[(sent * step) % channels.length]?.dispatch("tick", data);
      while (heard < wanted) await new Promise((resolve) => setImmediate(resolve));
    }
    const { user, system } = process.cpuUsage(cpu);
    return { cpu: (user + system) / events };
  },
  async memory() {
    for (let index = 0; index < 4; index++) globalThis.gc?.();
    return { heap: process.memoryUsage().heapUsed };
  },
};

/** @param {Response} response */
async function read(response) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    // Its last line is that of the data, 100 of which end in an x.
    if (read.value.at(-3) === 120) heard++;
  }
}

process.stdout.write("{}\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await commands[/** @type {keyof typeof commands} */ (command)](options))}\n`);
}
process.exit(0);
