// The types of values after JSON.

/**
 * The type of a value after `JSON.stringify` and `JSON.parse`: a `Date` is a string, a property that may be `undefined` may be
 * missing. `never` stands for values that cannot be dispatched, such as a `bigint`, a `Map` and a `Set`.
 */
export type JsonOf<T> =
  IsAny<T> extends true
    ? T
    : unknown extends T
      ? unknown
      : T extends string | number | boolean | null | undefined
        ? T
        : T extends { toJSON(...args: never): infer Json }
          ? JsonOf<Json>
          : T extends bigint | NotJson | Emptied
            ? never
            : T extends readonly unknown[]
              ? { -readonly [Index in keyof T]: JsonElement<T[Index]> }
              : T extends object
                ? JsonObject<T>
                : never;

/** @internal Values that JSON would write as `{}`. */
type Emptied = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | PromiseLike<unknown>;

/** @internal Values that have no form in JSON: left out of objects, and `null` in arrays. */
type NotJson = symbol | ((...args: never) => unknown);

/** @internal */
type JsonElement<T> = T extends NotJson | undefined ? null : JsonOf<T>;

/** @internal */
type JsonObject<T> = Flat<
  { -readonly [K in keyof T as KeptKey<K, T[K]>]: JsonOf<T[K]> } & {
    -readonly [K in keyof T as OptionalKey<K, T[K]>]?: JsonOf<Exclude<T[K], NotJson | undefined>>;
  }
>;

/** The key of a property that JSON always has. */
type KeptKey<K, V> = K extends symbol
  ? never
  : IsAny<V> extends true
    ? K
    : [Extract<V, NotJson | undefined>] extends [never]
      ? K
      : never;

/** The key of a property that JSON has for some of its values. */
type OptionalKey<K, V> = K extends symbol | KeptKey<K, V>
  ? never
  : [Exclude<V, NotJson | undefined>] extends [never]
    ? never
    : K;

/** @internal */
type IsAny<T> = 0 extends 1 & T ? true : false;

type Flat<T> = { [K in keyof T]: T[K] };
