/**
 * The unit tests that do not apply to a runtime: by their file, the full name of each, or of the group that they are in, with the
 * reason. `{ "set.test.mjs": { "closeAll > twice": "It has no …" } }`
 */
export type Exceptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const exceptions = {
  Bun: {},
  Deno: {},
} as const satisfies Record<string, Exceptions>;
