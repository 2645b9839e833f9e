/** The part of Vitest's `vi` that the unit tests use. */
import { type Clock, type FakeMethod, withGlobal } from "@sinonjs/fake-timers";
import { fn, restoreAllMocks, spyOn } from "@vitest/spy";

/** Taken at import: the clock replaces it later. */
const { setTimeout } = globalThis;
let clock: Clock | undefined;
/** The original values that stubs replaced. */
const environment = new Map<string, string | undefined>();
const globals = new Map<string, PropertyDescriptor | undefined>();

function useFakeTimers({ toFake }: { toFake: FakeMethod[] }): void {
  clock?.uninstall();
  clock = withGlobal(globalThis).install({ now: Date.now(), toFake, ignoreMissingTimers: true });
}

function useRealTimers(): void {
  clock?.uninstall();
  clock = undefined;
}

function fake(): Clock {
  if (clock === undefined) throw new Error("The clock is real: call vi.useFakeTimers() first");
  return clock;
}

/** Calls again and again until it neither throws nor, where `truthy` is asked for, returns something else. */
async function wait<T>(what: string, ask: () => T, truthy: boolean): Promise<Awaited<T>> {
  const deadline = Date.now() + 1_000;
  for (;;) {
    let problem: unknown = new Error(`Timed out in ${what}`);
    try {
      const value = await ask();
      if (!truthy || value) return value;
    } catch (error) {
      if (truthy) throw error;
      problem = error;
    }
    if (Date.now() > deadline) throw problem;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const vi = {
  fn,
  spyOn,
  restoreAllMocks,
  useFakeTimers,
  useRealTimers,
  setSystemTime: (time: number | Date): void => fake().setSystemTime(time),
  advanceTimersByTime: (milliseconds: number): void => void fake().tick(milliseconds),
  advanceTimersByTimeAsync: async (milliseconds: number): Promise<void> => void (await fake().tickAsync(milliseconds)),
  getTimerCount: (): number => fake().countTimers(),
  waitFor: <T>(ask: () => T): Promise<Awaited<T>> => wait("waitFor", ask, false),
  waitUntil: <T>(ask: () => T): Promise<Awaited<T>> => wait("waitUntil", ask, true),
  stubEnv(name: string, value: string): void {
    if (!environment.has(name)) environment.set(name, process.env[name]);
    process.env[name] = value;
  },
  unstubAllEnvs(): void {
    for (const [name, value] of environment) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    environment.clear();
  },
  stubGlobal(name: string, value: unknown): void {
    if (!globals.has(name)) globals.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  },
  unstubAllGlobals(): void {
    for (const [name, original] of globals) {
      if (original === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, original);
    }
    globals.clear();
  },
};
