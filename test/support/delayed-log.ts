/** A log whose calls take time, and their answers, too. */
import type { Log } from "../../src/log/log.ts";
import { overLog } from "./runs.ts";

/** @param pause Called before each call of the log, and before its answer. */
export function delayedLog(log: Log, pause: () => Promise<void>): Log {
  const slow = <Arguments extends unknown[], Result>(call: (...args: Arguments) => Promise<Result>) => {
    return async (...args: Arguments): Promise<Result> => {
      await pause();
      const result = await call(...args);
      await pause();
      return result;
    };
  };
  return overLog(log, {
    append: slow(log.append.bind(log)),
    head: slow(log.head.bind(log)),
    read: slow(log.read.bind(log)),
  });
}
