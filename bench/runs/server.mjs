// The process that is measured: it produces the answers, and sends them to their readers. Commands and answers are lines of JSON.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { openContender } from "./contenders.mjs";

/** @type {import("./contenders.mjs").Contender} */
let contender;
/** Tokens that each answer has to have by now. */
let due = 0;
let isLast = false;
/** Resolves when that changes. */
let change = Promise.withResolvers();
let tokens = 0;
let answers = 0;
let ended = 0;

const server = createServer((req, res) => {
  if (req.url === "/resume") return contender.resume("1", { req, res });
  res.on("close", () => ended++);
  return contender.start(`${++answers}`, produce, { req, res });
});

/** Chunks of the AI SDK, at the pace of the command `produce`. */
async function* produce() {
  yield { type: "start" };
  yield { type: "text-start", id: "1" };
  for (let index = 0; !isLast || index < due; index++) {
    // A producer that is late makes up for it: every contender has all tokens.
    while (index >= due && !isLast) await change.promise;
    if (index >= due) break;
    tokens++;
    yield { type: "text-delta", id: "1", delta: `word${index % 10} ` };
  }
  yield { type: "text-end", id: "1" };
  yield { type: "finish" };
}

function wakeProducers() {
  const { resolve } = change;
  change = Promise.withResolvers();
  resolve(null);
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const commands = {
  /** @param {{ contender: string, redisPort: number }} options */
  async open({ contender: name, redisPort }) {
    contender = await openContender(name, redisPort);
    await new Promise((resolve) => void server.listen(0, "127.0.0.1", () => resolve(null)));
    return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  },
  /**
   * One token for each answer, every `paceMs`; on a machine that cannot keep up, later. With `end`, waits until all readers have
   * the end.
   *
   * @param {{ count: number, paceMs: number, end: boolean }} options
   */
  async produce({ count, paceMs, end }) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    for (let index = 0; index < count; index++) {
      due++;
      wakeProducers();
      await pause(paceMs);
    }
    if (end) {
      isLast = true;
      wakeProducers();
      while (ended < answers) await pause(5);
    }
    const { user, system } = process.cpuUsage(cpu);
    return { cpu: user + system, wall: performance.now() - start };
  },
  async cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  async close() {
    server.closeAllConnections();
    server.close();
    return { bytes: await contender.close(), tokens };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  const answer = await commands[/** @type {keyof typeof commands} */ (command)](options);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
