// The files of src as text: the comment that each begins with, and how much of it is comment.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";

/**
 * @typedef {object} SourceFile
 * @property {string} name relative to src
 * @property {string} subject the comment that it begins with, "" if it begins with code
 * @property {number} lines all of them
 * @property {number} comments lines of comments
 * @property {number} code lines of code
 */

/** @returns {SourceFile[]} by name */
export function sourceFiles() {
  const names = /** @type {string[]} */ (readdirSync(join(root, "src"), { recursive: true }));
  return names
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => ({ name, ...measure(readFileSync(join(root, "src", name), "utf8")) }));
}

/** @param {string} text @returns {Omit<SourceFile, "name">} */
export function measure(text) {
  const lines = text.split("\n").slice(0, text.endsWith("\n") ? -1 : undefined);
  let comments = 0;
  let code = 0;
  let isInBlock = false;
  for (const line of lines.map((one) => one.trim())) {
    if (line === "") continue;
    if (isInBlock || /^(\/\/|\/\*|-- )/.test(line)) {
      comments += 1;
      if (line.startsWith("/*")) isInBlock = true;
      if (line.includes("*/")) isInBlock = false;
    } else code += 1;
  }
  return { subject: firstComment(text), lines: lines.length, comments, code };
}

/** The comment that a file begins with. @param {string} text */
export function firstComment(text) {
  const lines = /^(?:#!.*\n)?((?:\/\/.*\n)+)/.exec(text)?.[1];
  if (lines) return lines.replace(/^\/\/ ?/gm, "").trim();
  // A docstring that a blank line or an import follows is about the file, any other one about the declaration below it.
  const block = /^\/\*\*([\s\S]*?)\*\/(?=\n\n|\nimport )/.exec(text)?.[1] ?? "";
  return block.replace(/^[ \t]*\*(?: |$)/gm, "").trim();
}
