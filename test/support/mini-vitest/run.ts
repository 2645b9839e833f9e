/** Runs what a file registered (suite.ts), one test after the other. */
import { guard } from "./guard.ts";
import { type Case, file, type Suite } from "./suite.ts";

export interface Report {
  passed: string[];
  failed: { name: string; error: string }[];
  /** Names of the tests that were not run, as asked for. */
  excepted: string[];
}

/** As in the project `unit` of vitest.config.ts. */
const defaultTimeout = 5_000;
/** Taken at import: fake clocks replace them later. */
const { setTimeout, clearTimeout } = globalThis;

/** The full names of all tests, in order. */
export function names(): string[] {
  return cases(file).map(({ name }) => name);
}

/** Runs them all but those whose names, or the names of the groups that they are in, are `except`. */
export async function run(except: readonly string[] = []): Promise<Report> {
  const report: Report = { passed: [], failed: [], excepted: [] };
  const guarded = guard();
  for (const test of cases(file)) {
    if (except.some((name) => test.name === name || test.name.startsWith(`${name} > `))) {
      report.excepted.push(test.name);
      continue;
    }
    const errors = await failures(test);
    errors.push(...(await guarded.settle()));
    if (errors.length === 0) report.passed.push(test.name);
    else report.failed.push({ name: test.name, error: errors.map(describeError).join("\n") });
  }
  guarded.stop();
  return report;
}

interface RunnableCase extends Case {
  readonly before: (() => unknown)[];
  readonly after: (() => unknown)[];
}

/** The tests of a suite with full names, and with the hooks of all suites around them in the order of their calls. */
function cases(
  suite: Suite,
  name: readonly string[] = [],
  before: Suite["before"] = [],
  after: Suite["after"] = [],
): RunnableCase[] {
  const hooks = { before: [...before, ...suite.before], after: [...suite.after.toReversed(), ...after] };
  return suite.parts.flatMap((part) => {
    const path = [...name, part.name];
    if ("parts" in part) return cases(part, path, hooks.before, hooks.after);
    return [{ ...part, ...hooks, name: path.join(" > ") }];
  });
}

async function failures({ before, body, after, timeout = defaultTimeout }: RunnableCase): Promise<unknown[]> {
  const errors: unknown[] = [];
  const attempt = async (step: () => unknown): Promise<void> => {
    try {
      await within(timeout, step);
    } catch (error) {
      errors.push(error);
    }
  };
  for (const hook of before) await attempt(hook);
  if (errors.length === 0) await attempt(body);
  for (const hook of after) await attempt(hook);
  return errors;
}

async function within(milliseconds: number, step: () => unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([step(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Not every runtime has the message in the stack. */
function describeError(error: unknown): string {
  const { message = String(error), stack = "" } = (error ?? {}) as Partial<Error>;
  return stack.includes(message) ? stack : `${message}\n${stack}`;
}
