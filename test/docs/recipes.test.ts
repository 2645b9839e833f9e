/** The recipes that a reader starts in a new folder: their commands install all that their code imports, and nothing else. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/package.ts";

const pages = ["datastar", "turbo", "htmx-4", "openai-proxy", "langgraph", "trpc", "orpc", "graphql-yoga", "apollo"];

/** Peers that the code does not import: npm installs them too, in a version that may not be the right one. */
const peers: Record<string, string[]> = { "graphql-yoga": ["graphql"] };

test.each(pages)("docs/recipes/%s.md installs what it imports", (page) => {
  const text = readFileSync(join(root, `docs/recipes/${page}.md`), "utf8");
  const [, installed = ""] = /^npm install (.+)$/m.exec(text) ?? [];
  const imported = Array.from(
    text.matchAll(/^(?:import .*|\} )from "(?!node:|\.)((?:@[^/"]+\/)?[^/"]+)/gm),
    ([, name]) => name,
  );
  expect(installed.split(" ").sort()).toEqual([...new Set([...imported, ...(peers[page] ?? [])])].sort());
  expect(text).toContain("npm pkg set type=module\n");
  expect(text).toContain("node server.ts\n");
});
