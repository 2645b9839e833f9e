// The async context of a callback on Workers, which refuse to enter the context of a request while they serve another one.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CapturedContext } from "../../src/base/async-context.ts";

/** The request that the runtime serves; `null` in the global scope. */
let serving: string | null = null;
const user = new AsyncLocalStorage<string>();

/** An `AsyncResource` that belongs to the request in which it was made, as on Workers. */
class RequestResource {
  readonly #resource = new AsyncResource("test");
  readonly #request = serving;

  runInAsyncScope<R>(callback: () => R): R {
    if (this.#request !== null && this.#request !== serving)
      throw new Error("Cannot perform I/O on behalf of another request");
    return this.#resource.runInAsyncScope(callback);
  }
}

function serve<R>(request: string | null, work: () => R): R {
  serving = request;
  return request === null ? work() : user.run(request, work);
}

/** Imports the module as it is on Workers, in the global scope or while a request is served. */
async function importFor(request: string | null) {
  vi.resetModules();
  return serve(request, () => import("../../src/base/async-context.ts"));
}

beforeEach(() => {
  vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
  vi.spyOn(process, "getBuiltinModule").mockImplementation((id) => {
    return (id === "node:async_hooks" ? { AsyncResource: RequestResource } : undefined) as never;
  });
});
afterEach(() => {
  serving = null;
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const call = (context: CapturedContext, callback: () => unknown = () => user.getStore() ?? "none") =>
  context.runInAsyncScope(callback, undefined);

test("a callback has the stores of its own request while that is served, and none while another one is", async () => {
  const { captureContext } = await importFor(null);
  const context = serve("ada", captureContext);
  expect(serve("ada", () => call(context))).toBe("ada");
  expect(serve("bob", () => call(context))).toBe("none");
  expect(serve(null, () => call(context))).toBe("none");
});

test("the error of a callback is its caller's, and the callback runs once", async () => {
  const { captureContext } = await importFor(null);
  const context = serve("ada", captureContext);
  for (const request of ["ada", "bob"]) {
    let calls = 0;
    const failing = () => {
      calls++;
      throw new Error("No database");
    };
    expect(() => serve(request, () => call(context, failing))).toThrow("No database");
    expect(calls).toBe(1);
  }
});

test("imported inside a request, a callback of another one does not run, rather than with the wrong stores", async () => {
  const { captureContext } = await importFor("eve");
  const context = serve("ada", captureContext);
  const callback = vi.fn();
  expect(serve("ada", () => call(context))).toBe("ada");
  expect(() => serve("bob", () => call(context, callback))).toThrow("another request");
  expect(callback).not.toHaveBeenCalled();
});
