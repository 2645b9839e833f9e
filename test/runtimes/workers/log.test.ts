import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFile } from "../../support/temporary.ts";
import { bundleWorker, startWorker } from "../../support/workers.ts";

test("the log on SQLite keeps its contract in a Durable Object, with its storage", async () => {
  const { path: folder, remove } = temporaryFile("worker");
  await bundleWorker(join(import.meta.dirname, "fixtures/log.ts"), folder);
  const server = await startWorker(folder, { objects: "LogTest" });
  try {
    const ask = async <T>(path: string): Promise<T> => (await fetch(server.origin + path)).json() as Promise<T>;
    const names = await ask<string[]>("/");
    expect(names.length).toBeGreaterThan(40);
    const outcomes = await Promise.all(
      names.map(async (name) => [name, await ask(`/run?name=${encodeURIComponent(name)}`)]),
    );
    expect(Object.fromEntries(outcomes.filter(([, outcome]) => outcome !== "passed"))).toEqual({});
    expect(server.newOutput()).toBe("");
  } finally {
    await server.stop("SIGKILL");
    remove();
  }
});
