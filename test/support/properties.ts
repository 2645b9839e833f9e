/**
 * fast-check for the property tests, with one seed for all of them, so that a run that fails fails again. Try others with
 * `SEED=7 npm run test:unit`, or each time another one with `SEED=$RANDOM`.
 */
import fc from "fast-check";

const seed = Number(globalThis.process?.env.SEED ?? 1);
if (!Number.isInteger(seed)) throw new Error(`SEED=${globalThis.process?.env.SEED}: pass an integer`);
fc.configureGlobal({ seed });

export default fc;
