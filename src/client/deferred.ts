// A promise that is settled from outside, once.

/** `Promise.withResolvers()`, which Node 22 has and some browsers of 2023 do not. A rejection that nothing awaits is silent. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}
