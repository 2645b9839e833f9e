import { hasCompiler, hasRuntime } from "./lib/command.mjs";
import { hasNchan } from "./lib/nchan.mjs";

/** The names of contenders in tables and plots, by their file in servers/. */
const names = {
  "control-write": "by hand: response.write()",
  "control-chunk": "by hand: prebuilt chunk to the socket",
  "control-c": "by hand in C",
  set: "sourcecast: EventSourceSet",
  "hub-memory": "sourcecast: hub on memory",
  "hub-sqlite": "sourcecast: hub on SQLite",
  "hono-set": "sourcecast: set on Hono",
  "hono-by-hand": "by hand on Hono: enqueue()",
  "better-sse": "better-sse",
  "fastify-sse": "@fastify/sse",
  h3: "h3",
  "hono-stream-sse": "Hono: streamSSE()",
  "control-replay": "by hand: the last events in one write",
  "web-set": "sourcecast: set, web responses",
  "web-by-hand": "by hand: enqueue()",
  "web-direct": "by hand: direct stream",
  nchan: "nginx with nchan",
};

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
  const name = /** @type {Record<string, string>} */ (names)[file] ?? file;
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
  if (file === "nchan" && !hasNchan()) return "nginx with the module nchan (Debian: libnginx-mod-nchan)";
  return runtime !== undefined && !hasRuntime(runtime) ? `the runtime ${runtime}` : null;
}
