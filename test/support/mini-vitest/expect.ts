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

/** How long `expect.poll` tries, and how long it waits in between, in milliseconds. */
const pollMs = 1_000;
const pollIntervalMs = 20;

/** Tries an assertion again until it holds. */
function poll(ask: () => unknown, { timeout = pollMs }: { timeout?: number } = {}): unknown {
  const assert = async (matcher: string, args: readonly unknown[]): Promise<void> => {
    for (const deadline = Date.now() + timeout; ; ) {
      try {
        const assertions = expect(await ask()) as unknown as Record<string, (...args: readonly unknown[]) => void>;
        return assertions[matcher]?.(...args);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, pollIntervalMs));
      }
    }
  };
  return new Proxy(
    {},
    {
      get:
        (_, matcher: string) =>
        (...args: readonly unknown[]) =>
          assert(matcher, args),
    },
  );
}
Object.assign(expect, { poll });

/** Types were checked when the tests were compiled: at run time it says nothing. */
export const expectTypeOf: () => unknown = () => silent;
const silent: unknown = new Proxy(() => undefined, { get: () => silent, apply: () => silent });
