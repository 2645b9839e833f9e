// A hub with many channels and one subscriber each, on web responses that are read in the same process, because no machine
// has that many sockets. It takes commands as lines of JSON.
import { createInterface } from "node:readline";
import { createHub } from "sourcecast";

const hub = createHub();
/** @type {import("sourcecast").Channel[]} */
const channels = [];
let received = 0;

const commands = {
  async open(/** @type {{ count: number }} */ { count }) {
    for (let index = 0; index < count; index++) {
      const channel = hub.channel(`channel/${index}`);
      channels.push(channel);
      void read(await channel.response(new Request("http://localhost/events")));
    }
    // A new client receives its position within a second.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    return {};
  },
  /** Publishes events one by one, each `step` channels further. Returns microseconds per event until its subscriber read it. */
  async publish(/** @type {{ events: number, step: number }} */ { events, step }) {
    const data = "x".repeat(100);
    const cpu = process.cpuUsage();
    for (let sent = 0; sent < events; sent++) {
      const wanted = received + 1;
      await channels[(sent * step) % channels.length]?.dispatch("tick", data);
      while (received < wanted) await new Promise((resolve) => setImmediate(resolve));
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
    // The last line is the data, which ends in an x.
    if (read.value.at(-3) === 120) received++;
  }
}

process.stdout.write("{}\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await commands[/** @type {keyof typeof commands} */ (command)](options))}\n`);
}
process.exit(0);
