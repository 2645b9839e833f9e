/** The code blocks of the documentation: those of README.md and docs/, and the examples in the docstrings of src/. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./package.ts";

/**
 * How a block is checked. A `complete` one runs until it ends, a `server` answers a request and ends on SIGTERM, a `browser`
 * one runs in a browser against the server before it, and a `fragment` needs something that only an application has: all of
 * these are type-checked in one program. An `installed` one needs other packages; the tests of migrations and of recipes
 * check and run it. An `excerpt` is part of a file that other tests run.
 */
export type Kind = (typeof kinds)[number];

const kinds = ["complete", "server", "browser", "fragment", "installed", "excerpt"] as const;

/** True for a block that needs only the package and what this repository installs. */
export function isSelfContained({ kind }: Block): boolean {
  return kind !== "excerpt" && kind !== "installed";
}

export interface Block {
  /** `docs/resume.md:12`, where its code begins. */
  readonly name: string;
  readonly file: string;
  /** Of its first line of code, counted from 1. */
  readonly line: number;
  readonly kind: Kind;
  /** The word after the kind: the path to request from a server, or the file of an excerpt. */
  readonly path: string;
  readonly code: string;
  /** The lines that it promises to print: the comments after `console.log()`, or on the line below it. */
  readonly prints: readonly string[];
}

/** The Markdown files with code of their own: the examples of docs/reference are those of the docstrings. */
export const documents: readonly string[] = [
  "README.md",
  ...globSync("docs/**/*.md", { cwd: root })
    .filter((file) => !file.startsWith("docs/reference/"))
    .sort(),
];

export function blocksOfDocuments(): Block[] {
  return documents.flatMap((file) => blocksOf(file, read(file).split("\n")));
}

/** The examples in the docstrings of src/, which follow `@example`. */
export function blocksOfDocstrings(): Block[] {
  return globSync("src/**/*.ts", { cwd: root })
    .sort()
    .flatMap((file) =>
      blocksOf(
        file,
        // Only lines of a docstring can be code of an example.
        read(file)
          .split("\n")
          .map((line) => /^ *\* ?(.*)$/.exec(line)?.[1] ?? ""),
      ),
    );
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function blocksOf(file: string, lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; index++) {
    const [, language, info = ""] = /^```(\w+)\b(.*)$/.exec(lines[index] ?? "") ?? [];
    if (/^(js|jsx|javascript|typescript)$/.test(language ?? "")) {
      throw new Error(`The block at ${file}:${index + 1} is not checked by anything: make it one of ts`);
    }
    if (language !== "ts" && language !== "tsx") continue;
    const end = lines.indexOf("```", index);
    if (end === -1) throw new Error(`The block at ${file}:${index + 1} has no end`);
    blocks.push(blockOf(file, index + 2, info.trim(), lines.slice(index + 1, end)));
    index = end;
  }
  return blocks;
}

function blockOf(file: string, line: number, info: string, lines: readonly string[]): Block {
  const [word = "", path = "/"] = info.split(" ");
  const kind = word === "" ? "complete" : word;
  if (!kinds.includes(kind as Kind)) {
    throw new Error(`The block at ${file}:${line} is called "${word}"; it is one of ${kinds.join(", ")}`);
  }
  return {
    name: `${file}:${line}`,
    file,
    line,
    kind: kind as Kind,
    path,
    code: lines.join("\n"),
    prints: printsOf(lines),
  };
}

function printsOf(lines: readonly string[]): string[] {
  return lines.flatMap((line, index) => {
    if (!line.includes("console.log(")) return [];
    const said = / \/\/ (.+)$/.exec(line)?.[1] ?? /^ *\/\/ (.+)$/.exec(lines[index + 1] ?? "")?.[1];
    return said === undefined ? [] : [said];
  });
}

/** The lines of an excerpt that are not in its file, or not in this order. Others may be between them. */
export function strangeLines(block: Block): string[] {
  const lines = trimmedLines(read(block.path));
  let next = 0;
  return trimmedLines(block.code).filter((line) => {
    const found = lines.indexOf(line, next);
    if (found !== -1) next = found + 1;
    return found === -1;
  });
}

function trimmedLines(text: string): string[] {
  return text.split("\n").flatMap((line) => line.trim() || []);
}

/** The promised lines that were not printed. An ellipsis stands for any text. */
export function unprinted(block: Block, printed: readonly string[]): string[] {
  return block.prints.filter((said) => {
    const pattern = new RegExp(`^${said.split("…").map(RegExp.escape).join(".*")}$`);
    return !printed.some((line) => pattern.test(line));
  });
}
