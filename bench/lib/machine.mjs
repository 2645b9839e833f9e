import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { hasRuntime, runtimeVersion } from "./command.mjs";

/** The machine, the runtimes and the packages that figures were measured with. */
export function machine() {
  const { dependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const own = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    memory: `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    kernel: `${type()} ${release()}`,
    load: loadavg().map((load) => Number(load.toFixed(2))),
    sourcecast: own.version,
    node: process.version,
    bun: hasRuntime("bun") ? runtimeVersion("bun") : null,
    deno: hasRuntime("deno") ? runtimeVersion("deno") : null,
    peers: dependencies,
  };
}
