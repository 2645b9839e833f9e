// The annotated tree of src in AGENTS.md: folders as ARCHITECTURE.md describes them, files by the comment that each begins
// with.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { sourceFiles } from "./source-files.mjs";

const file = join(root, "AGENTS.md");
const begin = "<!-- The tree: written by `npm run generate`. -->\n";
const end = "<!-- End of the tree. -->\n";
/** Columns for the names, and for all of a line. */
const nameWidth = 31;
const lineWidth = 122;

/** @returns {{ written: string, expected: string }} AGENTS.md as it is, and as it should be */
export function agentsFile() {
  const written = readFileSync(file, "utf8");
  const [before = "", rest = ""] = written.split(begin);
  const [, after = ""] = rest.split(end);
  return { written, expected: `${before}${begin}\n\`\`\`text\n${sourceTree()}\n\`\`\`\n\n${end}${after}` };
}

export function writeTree() {
  writeFileSync(file, agentsFile().expected);
}

/** @returns {string} */
function sourceTree() {
  const folders = folderDescriptions();
  /** @type {string[]} */
  const lines = ["src/"];
  /** @type {string[]} */
  let open = [];
  for (const { name, subject } of inTreeOrder([...folders.keys()])) {
    const parts = name.split("/");
    const path = parts.slice(0, -1);
    for (let depth = 0; depth < path.length; depth += 1) {
      if (path[depth] === open[depth]) continue;
      open = path.slice(0, depth + 1);
      const folder = open.join("/");
      lines.push(line(depth, `${path[depth]}/`, folders.get(folder) ?? ""));
    }
    open = path;
    lines.push(line(path.length, parts.at(-1) ?? "", firstSentence(subject)));
  }
  return lines.join("\n");
}

/** Files in the order of the layers; in a folder, its files before its folders. @param {string[]} order */
function inTreeOrder(order) {
  const rank = (/** @type {string} */ name) => {
    const at = order.indexOf(name.split("/")[0] ?? "");
    return at === -1 ? order.length : at;
  };
  const key = (/** @type {string} */ name) => name.replace(/([^/]+)$/, "\0$1");
  return sourceFiles().toSorted((a, b) => rank(a.name) - rank(b.name) || (key(a.name) < key(b.name) ? -1 : 1));
}

/** The first picture of ARCHITECTURE.md: `hub/`, or `  feed/` below it, and what is in the folder. @returns {Map<string, string>} */
function folderDescriptions() {
  const picture = /```text\n([\s\S]*?)```/.exec(readFileSync(join(root, "ARCHITECTURE.md"), "utf8"))?.[1] ?? "";
  /** @type {Map<string, string>} */
  const found = new Map();
  let top = "";
  for (const [, indent = "", name = "", text = ""] of picture.matchAll(/^( *)([\w.-]+)\/?(?: +(.*))?$/gm)) {
    if (indent === "") top = name;
    found.set(indent === "" ? name : `${top}/${name}`, text);
  }
  return found;
}

/** @param {number} depth @param {string} name @param {string} text */
function line(depth, name, text) {
  const start = `${"  ".repeat(depth + 1)}${name}`;
  return (text === "" ? start : `${start.padEnd(nameWidth)} ${cut(text, lineWidth - nameWidth - 1)}`).trimEnd();
}

/** @param {string} text */
function firstSentence(text) {
  const line = text.replace(/\s+/g, " ");
  return (/^.*?\.(?= |$)/.exec(line)?.[0] ?? line).replace(/\.$/, "");
}

/** Shortened at the end of a clause if there is one, else between words. @param {string} text @param {number} width */
function cut(text, width) {
  if (text.length <= width) return text;
  const clause = /^.{24,}(?=[:;,] )/.exec(text.slice(0, width + 1))?.[0];
  return clause ?? `${text.slice(0, text.lastIndexOf(" ", width - 2))} …`;
}
