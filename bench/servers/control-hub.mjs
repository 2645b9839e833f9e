// Control for a subscription: no library, and nothing but the obligations of a hub. A name is checked, a slot is counted, the
// position of the client is read, the log is asked once for all requests of a turn, the response opens with a checkpoint, and
// the subscription is found by its channel, for entries after its position.
import { serve } from "./harness.mjs";
import { header, listenHttp } from "./http.mjs";

/** @typedef {{ res: import("node:http").ServerResponse, channels: readonly string[], cursor: string, offset: number }} Subscription */

const maxConnections = 100_000;
const epoch = "floor";
let top = 0;
let connections = 0;
/** @type {Set<Subscription>} */
const all = new Set();
/** @type {Map<string, Set<Subscription>>} */
const byChannel = new Map();
/** @type {Subscription[]} */
let waiting = [];

function attach(
  /** @type {import("node:http").IncomingMessage} */ req,
  /** @type {import("node:http").ServerResponse} */ res,
) {
  const channels = ["ticks"];
  for (const name of channels) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are invalid in a name
    if (name === "" || name.length > 256 || /[\u0000-\u001f\u007f]/.test(name)) return void res.writeHead(400).end();
  }
  if (connections === maxConnections) return void res.writeHead(503).end();
  connections++;
  const subscription = { res, channels, cursor: readCursor(req), offset: 0 };
  res.on("close", () => leave(subscription));
  res.on("error", () => leave(subscription));
  if (waiting.push(subscription) === 1) setImmediate(() => void openAll());
}

function readCursor(/** @type {import("node:http").IncomingMessage} */ { headers, url = "/" }) {
  const own = headers["last-event-id"];
  if (typeof own === "string") return own;
  const query = url.indexOf("?");
  return query === -1 ? "" : (new URLSearchParams(url.slice(query)).get("lastEventId") ?? "");
}

/** A log answers later, if only by a promise. */
async function locate(/** @type {readonly Subscription[]} */ questions) {
  return questions.map(({ cursor }) => ({ epoch, top, isCurrent: cursor === "" || cursor === `${epoch}.${top}` }));
}

async function openAll() {
  const asked = waiting;
  waiting = [];
  const answers = await locate(asked);
  for (const [index, subscription] of asked.entries()) {
    const { res, channels } = subscription;
    const answer = answers[index];
    if (res.destroyed || answer === undefined) continue;
    subscription.offset = answer.top;
    const type = answer.isCurrent ? "checkpoint" : "reset";
    res.writeHead(200, header);
    res.write(
      `: keep-alive 30000\nretry: ${2_000 + Math.floor(Math.random() * 4_000)}\n` +
        `event: sse:${type}\nid: ${answer.epoch}.${answer.top}\ndata: {}\n\n`,
    );
    all.add(subscription);
    for (const name of channels) {
      const subscribers = byChannel.get(name);
      if (subscribers === undefined) byChannel.set(name, new Set([subscription]));
      else subscribers.add(subscription);
    }
  }
}

function leave(/** @type {Subscription} */ subscription) {
  connections--;
  all.delete(subscription);
  for (const name of subscription.channels) byChannel.get(name)?.delete(subscription);
}

function publish(/** @type {string} */ data) {
  top++;
  const bytes = Buffer.from(`id: ${epoch}.${top}\nevent: tick\ndata: ${data}\n\n`);
  for (const subscription of byChannel.get("ticks") ?? []) {
    if (subscription.offset >= top) continue;
    subscription.offset = top;
    subscription.res.write(bytes);
  }
  return `${epoch}.${top}`;
}

await serve({ listen: () => listenHttp(attach, publish), publish });
