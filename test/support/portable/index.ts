/** What stands in for `vitest` where Vitest does not run (unit-tests.ts): as much of it as the unit tests use. */
export { expect, expectTypeOf } from "./expect.ts";
export { names, type Report, run } from "./run.ts";
export { afterEach, beforeEach, describe, it, test } from "./suite.ts";
export { vi } from "./vi.ts";
