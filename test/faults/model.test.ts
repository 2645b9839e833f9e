import { afterAll, expect, test } from "vitest";
import { uninstallClock } from "./model/clock.ts";
import { historyOf } from "./model/history.ts";
import { format, shrink } from "./model/shrink.ts";
import { run } from "./model/world.ts";

const histories = Number(process.env.MODEL_HISTORIES ?? 10_000);
const firstSeed = Number(process.env.MODEL_SEED ?? 1);

afterAll(uninstallClock);

test(`${histories} histories from seed ${firstSeed}: delivered and declared are what was published`, {
  timeout: 60_000 + histories * 50,
}, async () => {
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    const history = historyOf(seed);
    if ((await run(history)) === null) continue;
    const shortest = await shrink(history, async (shorter) => (await run(shorter)) !== null);
    const violation = await run(shortest);
    expect.fail(
      `Seed ${seed}: ${violation?.message}\n${format(shortest)}\nAgain: npm run test:model -- --seed ${seed}`,
    );
  }
});
