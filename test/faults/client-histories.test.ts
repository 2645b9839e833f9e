// Seeded histories of both clients and a hub on SQLite, over a line that cuts at any byte, delays and half-closes:
// delivered + declared = published, in order, nothing twice. `npm run test:model` runs all of them.
import { afterEach, expect, test, vi } from "vitest";
import { EventSource } from "../../src/client/eventsource.ts";
import { sqliteLog } from "../../src/logs/sqlite/index.ts";
import { ClientWorld, histories, type OpenWorldClient, stepsFor } from "../support/client-world.ts";
import { openSubscription } from "../support/world-clients.ts";

/** How many histories of subscribe(); a tenth as many of the class. */
const count = Number(process.env.CLIENT_HISTORIES ?? 100);

const openLog = (maxEvents: number) => () => sqliteLog({ path: ":memory:", maxEvents });

afterEach(() => void vi.useRealTimers());

test(`${count} histories of subscribe()`, async () => {
  const steps = stepsFor({ statuses: [0, 500, 503, 429], cuts: ["error", "end", "half-closed", "dead"] });
  await histories(count, steps, (all, maxEvents, random) =>
    ClientWorld.run({ openLog: openLog(maxEvents), openClient: openSubscription(random), random }, all),
  );
}, 3_600_000);

/** By the standard, any status but 200 is final, and there is no watchdog for a line that is dead. */
test(`${count / 10} histories of the class`, async () => {
  const steps = stepsFor({ statuses: [0], cuts: ["error", "end", "half-closed"] });
  await histories(count / 10, steps, (all, maxEvents, random) =>
    ClientWorld.run({ openLog: openLog(maxEvents), openClient: openEventSource, random }, all),
  );
}, 3_600_000);

/** The class has no clock of its own, so that of the process is replaced. */
const openEventSource: OpenWorldClient = (fetch, received) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  const source = new EventSource("http://localhost/events", { fetch });
  source.addEventListener("n", (event) => received.event((event as MessageEvent<string>).data));
  for (const type of ["sse:gap", "sse:reset"]) source.addEventListener(type, () => received.loss());
  return {
    async advance(most) {
      const step = Math.min(most, 1_000);
      vi.advanceTimersByTime(step);
      return step;
    },
    sleep: () => void vi.setSystemTime(Date.now() + 120_000),
    close() {
      expect(source.readyState).toBe(EventSource.OPEN);
      source.close();
      return 0;
    },
  };
};
