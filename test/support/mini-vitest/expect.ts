/** Vitest's `expect`, put together from its parts as Vitest does it, without Vitest. */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  ChaiStyleAssertions,
  chai,
  customMatchers,
  type ExpectStatic,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from "@vitest/expect";

for (const plugin of [JestExtend, JestChaiExpect, ChaiStyleAssertions, JestAsymmetricMatchers]) chai.use(plugin);

const globals = globalThis as { [GLOBAL_EXPECT]?: unknown; [ASYMMETRIC_MATCHERS_OBJECT]?: object };
const call = (value: unknown, message?: string): unknown => chai.expect(value, message);

export const expect: ExpectStatic = Object.assign(
  call,
  chai.expect,
  globals[ASYMMETRIC_MATCHERS_OBJECT],
) as unknown as ExpectStatic;
// `extend` adds matchers here.
globals[GLOBAL_EXPECT] = expect;
(chai.expect as unknown as { extend(expect: unknown, matchers: object): void }).extend(expect, customMatchers);

/** Types were checked when the tests were compiled: at run time it says nothing. */
export const expectTypeOf: () => unknown = () => silent;
const silent: unknown = new Proxy(() => undefined, { get: () => silent, apply: () => silent });
