/** The code blocks of the documentation: those of README.md and docs/, and the examples in the docstrings of src/. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./package.ts";

/**
 * How a block is checked. All are type-checked; beyond that, a `complete` one runs until it ends by itself, a `server`
 * answers a request and ends on SIGTERM, a `browser` one runs in a browser against the server before it, and a `fragment`
 * needs something that only an application has.
 */
export type Kind = "complete" | "server" | "browser" | "fragment";

export interface Block {
  /** `docs/resume.md:12`, where its code begins. */
  readonly name: string;
  readonly file: string;
  /** Of its first line of code, counted from 1. */
  readonly line: number;
  readonly kind: Kind;
  /** What the server is asked for: the word behind `server`. */
  readonly path: string;
  readonly code: string;
  /** What it says that it prints: the comments behind `console.log()`, or on the line below it. */
  readonly prints: readonly string[];
}

/** Those of the Markdown files that users read. */
export const documents: readonly string[] = ["README.md", ...globSync("docs/**/*.md", { cwd: root }).sort()];

export function blocksOfDocuments(): Block[] {
  return documents.flatMap((file) => blocksOf(file, read(file).split("\n")));
}

/** Those behind `@example` in src/. */
export function blocksOfDocstrings(): Block[] {
  return globSync("src/**/*.ts", { cwd: root })
    .sort()
    .flatMap((file) =>
      blocksOf(
        file,
        // What is no line of a docstring is no code of an example.
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
    const info = /^```ts\b(.*)$/.exec(lines[index] ?? "")?.[1];
    if (info === undefined) continue;
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
  if (!["complete", "server", "browser", "fragment"].includes(kind)) {
    throw new Error(`The block at ${file}:${line} is called "${word}"; it is server, browser, fragment or nothing`);
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

/** What was said to be printed and was not. An ellipsis stands for any text. */
export function unprinted(block: Block, printed: readonly string[]): string[] {
  return block.prints.filter((said) => {
    const pattern = new RegExp(`^${said.split("…").map(RegExp.escape).join(".*")}$`);
    return !printed.some((line) => pattern.test(line));
  });
}
