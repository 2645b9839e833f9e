// npm run cluster -- --on redis: runs examples/cluster, three processes behind nginx on one store, with a store and an nginx of
// its own, which are gone when it ends.
import "./lib/bootstrap.mjs";
import { parseArgs } from "node:util";
import { build } from "./lib/build.mjs";

const names = ["redis", "nats", "postgres", "sqlite"];
const { values } = parseArgs({ options: { on: { type: "string", default: "redis" }, port: { type: "string" } } });
const { on, port } = values;
if (!names.includes(on)) fail(`--on takes one of ${names.join(", ")}; it got "${on}"`);
if (port !== undefined && !/^\d{1,5}$/.test(port)) fail(`--port takes a number, such as --port 8080; it got "${port}"`);

if (!(await build())) process.exit(1);
const { Cluster, MissingProgram } = await import("./lib/cluster.mjs");
try {
  const cluster = await Cluster.start(/** @type {"redis"} */ (on), port === undefined ? undefined : Number(port));
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.once(signal, () => cluster.close().then(() => process.exit()));
  }
  console.log(`The cluster is at ${cluster.address}`);
  console.log(`Three processes behind nginx, on ${cluster.store}. End it with Ctrl+C.`);
} catch (error) {
  if (!(error instanceof MissingProgram)) throw error;
  fail(error.message);
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(1);
}
