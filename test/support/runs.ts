/** Runs in several processes on one log, with producers and logs that a test controls. */
import { afterEach } from "vitest";
import { createRuns, type Runs, type RunsOptions } from "../../src/ai/index.ts";
import type { HubOptions } from "../../src/hub/options.ts";
import type { Log } from "../../src/log/log.ts";
import { openHub } from "./hub.ts";

/** In milliseconds. */
export const lease = 150;

/** Closed after each test. */
export const opened: Runs[] = [];

afterEach(async () => {
  for (const runs of opened.splice(0)) await runs.close();
});

/** A process: a hub of its own on the shared log, and the runs on it. */
export function openProcess(log: Log, options: Partial<RunsOptions> = {}, limits: HubOptions["limits"] = {}) {
  const { hub } = openHub({ log, limits });
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const runs = createRuns({ hub, protocol: "text", lease, gather: 0, onError, ...options });
  opened.push(runs);
  return { hub, runs, errors };
}

/** A producer that yields what it is told to. */
export function controlledProducer() {
  const pieces: string[] = [];
  let wake = () => {};
  let isDone = false;
  let calls = 0;
  let signal: AbortSignal | undefined;
  return {
    get calls() {
      return calls;
    },
    get signal() {
      return signal;
    },
    yield(piece: string) {
      pieces.push(piece);
      wake();
    },
    end() {
      isDone = true;
      wake();
    },
    async *produce(context: { signal: AbortSignal }) {
      calls++;
      signal = context.signal;
      for (;;) {
        const piece = pieces.shift();
        if (piece !== undefined) yield piece;
        else if (isDone) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}

/** The events of a response, when it has ended. */
export async function eventsOf(response: Response): Promise<string[]> {
  const text = await response.text();
  return text
    .split("\n\n")
    .map((block) =>
      `${/^event: (.*)$/m.exec(block)?.[1] ?? "message"} ${/^data: (.*)$/m.exec(block)?.[1] ?? ""}`.trim(),
    )
    .filter((event) => !event.startsWith("sse:checkpoint") && event !== "message");
}

/** The newest two entries of the chat's runs. */
export async function storedOf(log: Log): Promise<string[] | undefined> {
  return (await log.last?.(2, { channels: [], prefixes: ["runs/chat/run/"] }))?.map(({ data }) => data);
}

/** A log whose appends wait while it is frozen, as those of a process that is paused. */
export function freezable(log: Log) {
  let thawed = Promise.resolve();
  let thaw = () => {};
  const append: Log["append"] = async (entries) => {
    await thawed;
    return log.append(entries);
  };
  return {
    log: overLog(log, { append }),
    freeze() {
      thawed = new Promise((resolve) => {
        thaw = resolve;
      });
    },
    thaw: () => thaw(),
  };
}

/** A log with other methods. */
export function overLog(log: Log, methods: Partial<Log>): Log {
  return new Proxy(log, {
    get(target, name) {
      const value = Reflect.get(name in methods ? methods : target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
