import { afterAll, describe, expect, test } from "vitest";
import {
  type Block,
  blocksOfDocstrings,
  blocksOfDocuments,
  isSelfContained,
  strangeLines,
  unprinted,
} from "../support/blocks.ts";
import { type Outcome, startAll, Workspace } from "../support/workspace.ts";

const blocks = [...blocksOfDocuments(), ...blocksOfDocstrings()];
const complete = blocks.filter(({ kind }) => kind === "complete");
const servers = blocks.filter(({ kind }) => kind === "server");
const excerpts = blocks.filter(({ kind }) => kind === "excerpt");
const workspace = new Workspace(blocks.filter(isSelfContained));
// The types of all at once, and no more than two processes at a time.
const typeErrors = workspace.typeErrors();
const outcomes = startAll([...complete, ...servers], 2, async (block) => {
  await typeErrors;
  return block.kind === "server" ? serve(block) : workspace.run(block);
});
afterAll(async () => {
  await Promise.allSettled([typeErrors, ...outcomes.values()]);
  workspace[Symbol.dispose]();
});

test("the documentation has blocks of each kind that runs", () => {
  expect(complete.length).toBeGreaterThan(10);
  expect(servers.length).toBeGreaterThan(0);
});

test("the README begins with one file of some twenty lines that is a server and its page", () => {
  const [first] = blocks.filter(({ file }) => file === "README.md");
  expect(first).toMatchObject({ kind: "server", code: expect.stringContaining("new EventSource(") });
  expect(first?.code.split("\n").length).toBeLessThanOrEqual(22);
});

test("every code block compiles, in one program", async () => {
  expect(await typeErrors).toEqual([]);
});

describe("a complete block runs, ends and prints what it says", () => {
  test.each(complete)("$name", async (block) => {
    const { end, stdout, stderr } = (await outcomes.get(block)) as Outcome;
    expect(stderr).toBe("");
    expect(end).toBe(0);
    expect(unprinted(block, stdout.split("\n")), `It printed:\n${stdout}`).toEqual([]);
  });
});

test.each(excerpts)("the lines of $name are those of $path", (block) => {
  expect(strangeLines(block)).toEqual([]);
});

describe("a server answers with an event stream, and ends on SIGTERM", () => {
  test.each(servers)("$name", async (block) => {
    const { end, stderr } = (await outcomes.get(block)) as Outcome;
    expect(stderr).toBe("");
    expect(end).toBe("SIGTERM");
  });
});

/** Asks a server once, reads the first bytes while the stream is open, and stops the server. */
async function serve(block: Block): Promise<Outcome> {
  const { port, stop } = await workspace.start(block);
  try {
    const response = await fetch(`http://127.0.0.1:${port}${block.path}`, { signal: AbortSignal.timeout(10_000) });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(first?.value?.length).toBeGreaterThan(0);
    const outcome = stop();
    for (let part = first; part?.done === false; part = await reader?.read());
    return await outcome;
  } finally {
    await stop();
  }
}
