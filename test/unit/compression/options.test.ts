import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { mayCompress } from "../../../src/compression/options.ts";
import { useZlib, zlib } from "../../../src/compression/zlib.ts";
import { EventSourceSet } from "../../../src/index.ts";
import { request } from "../../support/web.ts";

const accepting = (value?: string) => request(value === undefined ? {} : { headers: { "accept-encoding": value } });

describe("which requests may get a compressed response", () => {
  test.each([
    ["gzip, deflate, br, zstd", true],
    ["GZIP", true],
    ["x-gzip", true],
    ["br;q=1.0, gzip;q=0.8, *;q=0.1", true],
    ["*", true],
    ["gzip;q=0.5, identity;q=0.5", true],
    [undefined, false],
    ["", false],
    ["br, deflate", false],
    ["gzip;q=0", false],
    ["gzip; q=0.000", false],
    ["gzip;q=0, *", false],
    ["identity, gzip;q=0.5", false],
    ["gzip;q=none", false],
  ])("accept-encoding: %s: %s", (value, expected) => {
    expect(mayCompress(accepting(value))).toBe(expected);
  });

  test("not a HEAD", () => {
    expect(mayCompress(request({ method: "HEAD", headers: { "accept-encoding": "gzip" } }))).toBe(false);
  });
});

describe("a runtime", () => {
  afterEach(() => useZlib(undefined));

  test("with zlib", () => {
    expect([zlib() === null, mayCompress(accepting("gzip"))]).toEqual([false, true]);
  });

  test("with a zlib that ignores the context", () => {
    const context = vi.fn(deflateRawSync);
    vi.stubGlobal("process", {
      ...process,
      getBuiltinModule: () => ({
        constants,
        inflateRawSync,
        deflateRawSync: (bytes: Uint8Array, { finishFlush }: { finishFlush: number }) =>
          context(bytes, { finishFlush }),
      }),
    });
    useZlib(undefined);
    const accepts = mayCompress(accepting("gzip"));
    vi.unstubAllGlobals();
    expect([accepts, context.mock.calls.length]).toEqual([false, 2]);
  });

  test("without zlib", () => {
    useZlib(null);
    expect(mayCompress(accepting("gzip"))).toBe(false);
  });
});

test.each(["gzip", 1, null, { threshold: 0 }, { threshold: "2" }, { level: 9 }])(
  "the option compress does not take %j",
  (compress) => {
    const expected = expect.objectContaining({ code: "ERR_SSE_OPTION" });
    expect(() => new EventSourceSet({ compress: compress as never })).toThrow(expected);
  },
);
