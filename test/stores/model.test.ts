import { afterEach, expect, test } from "vitest";
import { historyOf } from "../faults/model/history.ts";
import { format } from "../faults/model/shrink.ts";
import { natsModelStore } from "./model/nats.ts";
import { postgresModelStore } from "./model/postgres.ts";
import { redisModelStore } from "./model/redis.ts";
import type { Machine, ModelStore } from "./model/store.ts";
import { type Group, runOn } from "./model/world.ts";

const histories = Number(process.env.MODEL_HISTORIES ?? 334);
const firstSeed = Number(process.env.MODEL_SEED ?? 1);
const only = process.env.MODEL_STORE;
/** Histories that happen at the same time, on machines of their own: most of them wait for the network. */
const groups = Math.min(histories, 32);
const machinesOfGroup = 2;

const cleanups: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of cleanups.splice(0).reverse()) await each[Symbol.asyncDispose]();
  // Attempts that hubs had planned when they were closed come to nothing within a second.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
});

const stores = { redis: redisModelStore, nats: natsModelStore, postgres: postgresModelStore };

for (const [name, start] of Object.entries(stores)) {
  if (only !== undefined && only !== name) continue;
  test(`${histories} histories on ${name} from seed ${firstSeed}: delivered and declared are what was published`, {
    timeout: 120_000 + histories * 500,
  }, async () => {
    const store = await start();
    cleanups.push(store);
    const seeds = Array.from({ length: histories }, (_, index) => firstSeed + index);
    const failures: string[] = [];
    let unjudged = 0;
    const work = async (group: Group): Promise<void> => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const history = historyOf(seed);
        const outcome = await runOn(store, group, history, `model-${seed}`);
        if (outcome === "sound") continue;
        if (outcome === "unjudged") {
          unjudged++;
          continue;
        }
        // The others come to their end, so that this one is all that is reported.
        seeds.length = 0;
        const again = `npm run test:model -- --on ${name} --histories 1 --seed ${seed}`;
        failures.push(`Seed ${seed}: ${outcome.message}\n${format(history)}\nAgain, with other moments: ${again}`);
      }
    };
    await Promise.all((await groupsOf(store)).map(work));
    if (failures.length > 0) expect.fail(failures[0]);
    // Otherwise most histories have shown nothing.
    expect(unjudged).toBeLessThanOrEqual(histories * 0.1);
  });
}

async function groupsOf(store: ModelStore): Promise<Group[]> {
  const open = async (): Promise<Machine> => {
    const machine = await store.machine();
    cleanups.push(machine);
    return machine;
  };
  return Promise.all(
    Array.from({ length: groups }, async () => {
      const [observer, ...machines] = await Promise.all(Array.from({ length: machinesOfGroup + 1 }, open));
      return { observer: observer as Machine, machines };
    }),
  );
}
