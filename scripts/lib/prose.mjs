// The prose of the repository: comments, docstrings, string literals with words in them, and Markdown. Code, URLs and
// `inline code` are left out, so that rules about English see sentences only.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** @typedef {{ file: string, kind: "comment" | "string" | "text" | "heading" | "cell", lines: { line: number, text: string }[] }} Passage */

/** Folders and files that are read, relative to the root of the repository. */
const places = ["src", "scripts", "bench", "test", "examples", "docs"];
/** Folders that hold generated or foreign text. `docs/reference` repeats the docstrings of src. */
const skipped = /(^|\/)(node_modules|dist|vendor|public|results|fixtures\/english|\.\w+)(\/|$)|^docs\/reference\//;
const code = /\.(ts|tsx|mjs|js|jsx)$/;

/** @param {string} root @returns {string[]} every file with prose, relative to the root */
export function proseFiles(root) {
  const below = places.flatMap((place) => filesBelow(root, place));
  const configs = readdirSync(root).filter((name) => /^(tsconfig.*\.json|vitest\.config\.ts|[A-Z]+\.md)$/.test(name));
  return [...below, ...configs]
    .filter((name) => (code.test(name) || name.endsWith(".md") || name.startsWith("tsconfig")) && !skipped.test(name))
    .sort();
}

/**
 * Leaves out folders before it enters them: node_modules of an example or of bench may link to this repository, which has no
 * end for a reader that follows links.
 *
 * @param {string} root
 * @param {string} folder
 * @returns {string[]}
 */
function filesBelow(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (!entry.isDirectory()) return [name];
    return skipped.test(name) ? [] : filesBelow(root, name);
  });
}

/** @param {string} root @param {string} file @returns {Passage[]} */
export function passagesOf(root, file) {
  const source = readFileSync(join(root, file), "utf8");
  return file.endsWith(".md") ? passagesOfMarkdown(file, source) : passagesOfCode(file, source);
}

/** Comments, strings and, so that they are not mistaken for either, regular expressions. */
const token =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|(?<=(?:^|[=(,:[!&|?{};\n>]|return|typeof)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;

/** @param {string} file @param {string} source @param {number} [firstLine] @returns {Passage[]} */
export function passagesOfCode(file, source, firstLine = 1) {
  /** @type {Passage[]} */
  const found = [];
  /** Line comments that follow each other are one passage. @type {{ end: number, passage: Passage } | undefined} */
  let open;
  const lineAt = lineCounter(source, firstLine);
  for (const match of source.matchAll(token)) {
    const text = match[0];
    const line = lineAt(match.index);
    if (text.startsWith("//")) {
      const words = { line, text: clean(text.slice(2)) };
      const last = open?.passage.lines.at(-1);
      if (open && last?.line === line - 1 && /^\s*$/.test(source.slice(open.end, match.index))) {
        open.passage.lines.push(words);
        open.end = match.index + text.length;
      } else {
        open = { end: match.index + text.length, passage: { file, kind: "comment", lines: [words] } };
        found.push(open.passage);
      }
    } else if (text.startsWith("/*")) {
      const content = text
        .slice(2, -2)
        .replace(/^[ \t]*\*(?!\*) ?/gm, "")
        .replace(/^\*/, "");
      found.push(
        ...passagesOfMarkdown(file, content, line).map((passage) => ({
          ...passage,
          kind: /** @type {const} */ ("comment"),
        })),
      );
    } else if (!text.startsWith("/") && /\S \S/.test(text)) {
      const content = text
        .slice(1, -1)
        .replace(/\$\{[^}]*\}/g, "…")
        .replace(/(?<=<script>)[\s\S]*?(?=<\/script>|$)/g, (script) => script.replace(/[^\n]+/g, "…"))
        .replaceAll("\\n", " ");
      found.push({
        file,
        kind: "string",
        lines: content.split("\n").map((words, index) => ({ line: line + index, text: clean(words) })),
      });
    }
  }
  return found;
}

/** @param {string} file @param {string} source @param {number} [firstLine] @returns {Passage[]} */
export function passagesOfMarkdown(file, source, firstLine = 1) {
  /** @type {Passage[]} */
  const found = [];
  /** @type {Passage | undefined} */
  let paragraph;
  /** @type {{ language: string, line: number, lines: string[] } | undefined} */
  let fence;
  for (const [index, raw] of source.split("\n").entries()) {
    const line = firstLine + index;
    const mark = /^\s*(?:>\s*)?```(\w*)/.exec(raw);
    if (fence) {
      if (mark) {
        if (/^(ts|tsx|js|jsx|mjs)$/.test(fence.language)) {
          found.push(...passagesOfCode(file, fence.lines.join("\n"), fence.line + 1));
        }
        fence = undefined;
      } else fence.lines.push(raw);
      continue;
    }
    const text = clean(raw);
    if (mark) {
      fence = { language: mark[1] ?? "", line, lines: [] };
      paragraph = undefined;
    } else if (raw.trim() === "") paragraph = undefined;
    else if (/^#+ /.test(raw)) {
      found.push({ file, kind: "heading", lines: [{ line, text }] });
      paragraph = undefined;
    } else if (/^\s*\|/.test(raw)) {
      for (const cell of text.split("|"))
        if (/\w/.test(cell)) found.push({ file, kind: "cell", lines: [{ line, text: cell.trim() }] });
      paragraph = undefined;
    } else if (paragraph && !/^\s*([-*+]|\d+\.|@\w+)\s/.test(raw)) paragraph.lines.push({ line, text });
    else {
      paragraph = { file, kind: "text", lines: [{ line, text }] };
      found.push(paragraph);
    }
  }
  return found;
}

/** A line without markup whose words are not English: inline code, link targets, addresses, tags. @param {string} text */
function clean(text) {
  return text
    .replace(/`[^`]*`/g, "…")
    .replace(/\{@link [^}]*\}/g, "…")
    .replace(/\]\([^)]*\)/g, "]")
    .replace(/https?:\/\/\S+/g, "…")
    .replace(/\s+/g, " ")
    .trim();
}

/** @param {string} source @param {number} firstLine */
function lineCounter(source, firstLine) {
  let line = firstLine;
  let at = 0;
  return (/** @type {number} */ index) => {
    for (; at < index; at += 1) if (source.charCodeAt(at) === 10) line += 1;
    return line;
  };
}
