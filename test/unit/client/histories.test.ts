// Seeded histories of a client and a hub, over a line that cuts at any byte: delivered + declared = published, in order.
import { test } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { ClientWorld, histories, stepsFor } from "../../support/client-world.ts";
import { openSubscription } from "../../support/world-clients.ts";

/** How many histories: more with HISTORIES=10000. */
const count = Number(globalThis.process?.env.HISTORIES ?? 150);

const steps = stepsFor({ statuses: [0, 500, 503, 429], cuts: ["error", "end", "half-closed", "dead"] });

test(`${count} histories of subscribe(): every loss is declared, nothing is delivered twice`, async () => {
  await histories(count, steps, (all, maxEvents, random) => {
    const openLog = () => memoryLog({ maxEvents });
    return ClientWorld.run({ openLog, openClient: openSubscription(random), random }, all);
  });
}, 600_000);
