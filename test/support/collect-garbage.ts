import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects garbage now, whether the process was started for that or not. */
export function collectGarbage(): void {
  const { Bun } = globalThis as { Bun?: { gc(wait: boolean): void } };
  if (Bun === undefined) {
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
  } else Bun.gc(true);
}
