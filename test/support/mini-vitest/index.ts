/** A shim of `vitest` for runtimes without it (unit-tests.ts): the parts that the unit tests use. */
export { expect, expectTypeOf } from "./expect.ts";
export { names, type Report, run } from "./run.ts";
export { afterEach, beforeEach, describe, it, test } from "./suite.ts";
export { vi } from "./vi.ts";
