// npm run test:model -- --histories 100000 --seed 7: runs the model of faults for longer than the tests do.
import "./lib/bootstrap.mjs";
import { parseArgs } from "node:util";
import { vitest } from "./lib/vitest.mjs";

const { values } = parseArgs({
  options: { histories: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});
for (const [name, value] of Object.entries(values)) {
  if (!/^[1-9]\d*$/.test(value)) throw new Error(`--${name} takes a number, such as --${name} 100; it got "${value}"`);
}
process.env.MODEL_HISTORIES = values.histories;
process.env.MODEL_SEED = values.seed;
process.exitCode = await vitest(["--project", "faults", "test/faults/model.test.ts"]);
