/** The tree of tests that a file registers with `describe`, `test` and hooks, in the way of Vitest's. */

export interface Case {
  readonly name: string;
  readonly body: () => unknown;
  /** In milliseconds. */
  readonly timeout: number | undefined;
}

export interface Suite {
  readonly name: string;
  readonly parts: (Suite | Case)[];
  readonly before: (() => unknown)[];
  readonly after: (() => unknown)[];
}

export const file: Suite = suite("");
let current = file;

type Body = (...values: never[]) => unknown;
/** As Vitest's: the timeout comes last, or in an object before the body. */
interface Register {
  (name: string, body: Body, timeout?: number): void;
  (name: string, options: { timeout?: number }, body: Body): void;
}
/** Calls the body once for each value, with its elements as arguments where all values are lists. */
type Each = (values: readonly unknown[]) => Register;

export const describe: Register & { each: Each } = withEach((name, body) => {
  const outer = current;
  const inner = suite(name);
  outer.parts.push(inner);
  current = inner;
  try {
    body();
  } finally {
    current = outer;
  }
});

export const test: Register & { each: Each } = withEach((name, body, timeout) => {
  current.parts.push({ name, body: body as () => unknown, timeout });
});

export const it: typeof test = test;

export function beforeEach(hook: () => unknown): void {
  current.before.push(hook);
}

export function afterEach(hook: () => unknown): void {
  current.after.push(hook);
}

function suite(name: string): Suite {
  return { name, parts: [], before: [], after: [] };
}

/** A value is told by its number: its text may differ from runtime to runtime, and names are what exceptions go by. */
function withEach(add: (name: string, body: Body, timeout: number | undefined) => void): Register & { each: Each } {
  const register: Register = (name: string, second: Body | { timeout?: number }, third?: Body | number) => {
    const [body, timeout] = typeof second === "function" ? [second, third] : [third, second.timeout];
    add(name, body as Body, timeout as number | undefined);
  };
  const each: Each = (values) => (name: string, second: Body | { timeout?: number }, third?: Body | number) => {
    const [body, timeout] = typeof second === "function" ? [second, third] : [third, second.timeout];
    const areLists = values.every(Array.isArray);
    for (const [index, value] of values.entries()) {
      const args = (areLists ? value : [value]) as never[];
      add(`${name} (${index + 1})`, () => (body as Body)(...args), timeout as number | undefined);
    }
  };
  return Object.assign(register, { each });
}
