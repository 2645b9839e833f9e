/** The counterpart of guards.ts: unexpected output and unhandled rejections fail the test in which they occur. */
import { record, settleConsole } from "../console.ts";

const methods = ["log", "info", "warn", "error", "debug", "trace", "table", "dir"] as const;
/** Taken at import: fake clocks replace it later. */
const { setTimeout } = globalThis;

export interface Guard {
  /** Ends the account of one test and returns what was wrong in it. */
  settle(): Promise<string[]>;
  stop(): void;
}

export function guard(): Guard {
  const originals = { ...console };
  for (const method of methods) {
    console[method] = (...args: unknown[]) => record(`console.${method}: ${args.map(String).join(" ")}`);
  }
  const rejections: unknown[] = [];
  const stopListening = onUnhandledRejection((reason) => rejections.push(reason));
  return {
    async settle() {
      // A rejection is reported after the microtasks of the turn in which it happened.
      await new Promise((resolve) => setTimeout(resolve, 0));
      return [...settleConsole(), ...rejections.splice(0).map((reason) => `Unhandled rejection: ${reason}`)];
    },
    stop() {
      for (const method of methods) console[method] = originals[method];
      stopListening();
    },
  };
}

function onUnhandledRejection(listener: (reason: unknown) => void): () => void {
  if (typeof globalThis.process?.on === "function") {
    process.on("unhandledRejection", listener);
    return () => process.off("unhandledRejection", listener);
  }
  const onEvent = (event: Event): void => {
    event.preventDefault();
    listener((event as PromiseRejectionEvent).reason);
  };
  globalThis.addEventListener("unhandledrejection", onEvent);
  return () => globalThis.removeEventListener("unhandledrejection", onEvent);
}
