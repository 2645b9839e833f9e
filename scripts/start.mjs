// npm start: runs the demo, also from a fresh clone. The server prints its address.
import "./lib/bootstrap.mjs";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "./lib/build.mjs";
import { root } from "./lib/paths.mjs";

const server = join(root, "examples/demo/server.ts");
if (!existsSync(server)) {
  console.error("There is no demo in this checkout: examples/demo/server.ts is missing");
  process.exit(1);
}
if (!(await build())) process.exit(1);
process.argv[1] = server;
// In this process, so that a signal reaches only the server.
await import(pathToFileURL(server).href);
