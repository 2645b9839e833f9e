// docs/reference: written by `npm run generate`, compared by test/docs/reference.test.ts.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../paths.mjs";
import { readApi } from "./model.mjs";
import { problemsOf } from "./problems.mjs";
import { renderReference } from "./render.mjs";

const folder = join(root, "docs/reference");

/** Needs dist. @returns {{ pages: Map<string, string>, problems: string[] }} */
export function reference() {
  const api = readApi();
  return { pages: renderReference(api), problems: problemsOf(api) };
}

/** @param {Map<string, string>} pages */
export function writeReference(pages) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
}

/** @returns {Map<string, string>} the pages that are there */
export function writtenReference() {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}
