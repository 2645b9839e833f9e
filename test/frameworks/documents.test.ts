/** The pages on styles, followed as a reader does who pastes the blocks of each file into that file. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { blocksOfDocuments } from "../support/blocks.ts";
import { Http1Client } from "../support/client.ts";
import { type Example, installExample } from "../support/example.ts";
import { root } from "../support/package.ts";

/** An example with nothing in its files but what the page says. */
async function paste(page: string, name: string): Promise<Example> {
  const example = await installExample(name, { copy: "document" });
  const blocks = blocksOfDocuments().filter(({ file, path }) => file === page && path.startsWith(`examples/${name}/`));
  const files = new Set(blocks.map(({ path }) => path));
  for (const path of files) {
    const file = join(example.folder, basename(path));
    rmSync(file);
    writeFileSync(file, blocks.flatMap((block) => (block.path === path ? [block.code] : [])).join("\n\n"));
  }
  expect(files.size, "files that the page has").toBeGreaterThan(0);
  return example;
}

test.each([
  ["docs/frameworks/express.md", "express", "server.js", "/events/ann"],
  ["docs/frameworks/ts-rest.md", "ts-rest", "server.ts", "/events?user=ann"],
  ["docs/frameworks/oak.md", "oak", "server.ts", "/sse"],
])("%s is enough for the application of %s", async (page, name, program, path) => {
  const example = await paste(page, name);
  if (program.endsWith(".ts")) expect(await example.typeErrors()).toBe("");
  await using server = await example.start([program]);
  const client = await new Http1Client(server.port, { path }).opened();
  expect(client.headers["content-type"]).toBe("text/event-stream");
  client.leave();
});

// Their applications have to be built, and are more than these files: what the pages have of them is whole.
test.each([
  ["docs/frameworks/sveltekit.md", /src\/.*\.ts$/],
  ["docs/frameworks/htmx-router.md", /events\/.*\.tsx$/],
])("%s has its modules whole", (page, whole) => {
  const blocks = blocksOfDocuments().filter(({ file, path }) => file === page && whole.test(path));
  expect(blocks.length).toBeGreaterThan(2);
  for (const { path, code } of blocks)
    expect(codeOf(code), path).toEqual(codeOf(readFileSync(join(root, path), "utf8")));
});

/** Lines without those that are comments, and without empty ones. */
function codeOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "" && !/^\s*(\/\/|\/\*\*.*\*\/$)/.test(line));
}
