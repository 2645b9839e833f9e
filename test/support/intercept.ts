/** A log, or a part of one, whose calls a test can delay, replace or prepare for: `call` is the call itself. */
export function intercept<L extends object>(log: L, around: (name: string, call: () => unknown) => unknown): L {
  return new Proxy(log, {
    get(target, name) {
      const value = target[name as keyof L] as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => around(String(name), () => value.apply(target, args));
    },
  });
}
