import centrifugo from "./hubs/centrifugo.mjs";
import nchan from "./hubs/nchan.mjs";
import { hasCompiler, hasRuntime } from "./lib/command.mjs";
import { lackOf } from "./lib/hub.mjs";

/** The names of contenders in tables and plots, by their file in servers/. */
const names = {
  "control-write": "hand-written: response.write()",
  "control-chunk": "hand-written: prebuilt chunk to the socket",
  "control-c": "hand-written in C",
  "control-hub": "hand-written: the checks of a hub",
  set: "sourcecast: EventSourceSet",
  "hub-memory": "sourcecast: hub on memory",
  "hub-sqlite": "sourcecast: hub on SQLite",
  "hono-set": "sourcecast: set on Hono",
  "hono-by-hand": "hand-written on Hono: enqueue()",
  "better-sse": "better-sse",
  "fastify-sse": "@fastify/sse",
  h3: "h3",
  "hono-stream-sse": "Hono: streamSSE()",
  "control-replay": "hand-written: the last events in one write",
  "web-set": "sourcecast: set, web responses",
  "web-by-hand": "hand-written: enqueue()",
  "web-direct": "hand-written: direct stream",
};

/** Servers of other projects, by contender. @type {Map<string, import("./lib/hub.mjs").Description>} */
const descriptions = new Map([
  ["nchan", nchan],
  ["centrifugo", centrifugo],
]);

/** Adds a hub to the contenders of this run. @param {import("./lib/hub.mjs").Description} description */
export function addHub(description) {
  descriptions.set(description.name, description);
}

/** The contenders that are hubs, those included that cannot run here. */
export function hubs() {
  return Array.from(descriptions.keys());
}

/** The description of a contender that is a hub. @param {string} contender */
export function descriptionOf(contender) {
  return descriptions.get(contender);
}

/** The contenders that run on Node. */
export const onNode = available([
  "control-write",
  "control-chunk",
  "control-c",
  "set",
  "hub-memory",
  "hub-sqlite",
  "hono-set",
  "hono-by-hand",
  "better-sse",
  "fastify-sse",
  "h3",
  "hono-stream-sse",
]);

/** A few of them, for a run of a minute. */
export const forQuick = ["control-write", "control-chunk", "set", "hub-memory", "better-sse", "hono-stream-sse"];

/** The name of a contender, which may end in `@` and a runtime. @param {string} contender */
export function nameOf(contender) {
  const [, file = contender, runtime] = /^(.+)@(bun|deno)$/.exec(contender) ?? [];
  const name = /** @type {Record<string, string>} */ (names)[file] ?? descriptionOf(file)?.name ?? file;
  return runtime === undefined ? name : `${name}, ${runtime === "bun" ? "Bun" : "Deno"}`;
}

/** Whether a contender is this package. @param {string} contender */
export function isOurs(contender) {
  return nameOf(contender).startsWith("sourcecast");
}

/** The file in servers/ that runs a contender. @param {string} contender */
export function scriptOf(contender) {
  const [file = "", runtime] = contender.split("@");
  if (file === "control-c") return "servers/control.c";
  return `servers/${file}.mjs${runtime === undefined ? "" : `@${runtime}`}`;
}

/** Those for which this machine has what they need. @param {string[]} contenders */
export function available(contenders) {
  return contenders.filter((contender) => missing(contender) === null);
}

/** The requirement of a contender that this machine lacks, or `null`. @param {string} contender */
export function missing(contender) {
  const [file, runtime] = contender.split("@");
  if (file === "control-c" && !hasCompiler()) return "a C compiler (cc)";
  const description = descriptionOf(contender);
  if (description !== undefined) return lackOf(description);
  return runtime !== undefined && !hasRuntime(runtime) ? `the runtime ${runtime}` : null;
}
