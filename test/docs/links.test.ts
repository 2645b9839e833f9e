import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/package.ts";

const files = globSync(["*.md", "docs/**/*.md", "examples/*.md", "examples/*/*.md"], { cwd: root }).sort();

test.each(files)("every link of %s leads to a file and to a heading in it", (file) => {
  expect(linksOf(file).filter((link) => !leadsSomewhere(file, link))).toEqual([]);
});

test("docs/README.md leads to every page of the docs, except those that a page of the same name lists", () => {
  const named = linksOf("docs/README.md").map((link) => link.split("#")[0]);
  const pages = globSync("docs/**/*.md", { cwd: root }).map((file) => relative("docs", file));
  const listed = (page: string): boolean => named.includes(page) || named.includes(join(dirname(page), "README.md"));
  expect(pages.filter((page) => page !== "README.md" && !listed(page))).toEqual([]);
});

/** The links that stay within the repository. */
function linksOf(file: string): string[] {
  return Array.from(prose(file).matchAll(/\]\(([^)\s]+)\)/g), ([, link]) => link as string).filter(
    (link) => !/^[a-z]+:/.test(link),
  );
}

function leadsSomewhere(from: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const file = path === "" ? from : join(dirname(from), path);
  if (!existsSync(join(root, file))) return false;
  return anchor === undefined || anchorsOf(file).includes(anchor);
}

/** As GitHub makes them of headings; it counts those that are the same. */
function anchorsOf(file: string): string[] {
  const anchors = Array.from(prose(file).matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
  return anchors.map((anchor, index) => {
    const before = anchors.slice(0, index).filter((other) => other === anchor).length;
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

/** Without the code blocks. */
function prose(file: string): string {
  return readFileSync(join(root, file), "utf8").replace(/^```.*?^```$/gms, "");
}
