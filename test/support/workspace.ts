/** A folder in which blocks of the documentation are files of an application that has the package installed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Block } from "./blocks.ts";
import { root } from "./package.ts";

const runner = fileURLToPath(new URL("block-process.ts", import.meta.url));
/** Compilers that applications have, by the name under which they are installed here. */
export type Compiler = "typescript" | "typescript-5" | "typescript-6";
/** Far more than any block needs, also on a machine with other things to do. */
const deadline = 20_000;
/** The same for a compiler that reads all examples, on a machine that is busy otherwise. */
const compilerDeadline = 110_000;
const longestOutput = 100_000;

/** As an application has it that is strict and runs its TypeScript in Node, with the types of Node and of browsers. */
const tsconfig = {
  compilerOptions: {
    target: "ESNext",
    module: "NodeNext",
    lib: ["ESNext", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    types: ["node"],
    strict: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    moduleDetection: "force",
    skipLibCheck: true,
    noEmit: true,
  },
  include: ["*.ts"],
};

export interface Outcome {
  /** The exit code, or the signal that ended it. */
  readonly end: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningServer {
  readonly port: number;
  /** Ends it by SIGTERM. */
  stop(): Promise<Outcome>;
}

export class Workspace implements Disposable {
  // Below the root of the package, where its own name is known, and outside of node_modules, where Node strips no types.
  readonly folder: string = mkdtempSync(join(makeFolder(join(root, ".vitest")), "docs-"));
  readonly #blocks: readonly Block[];
  #configs = 0;

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
    writeFileSync(join(this.folder, "tsconfig.json"), JSON.stringify(tsconfig));
    // Code stands on the line on which it stands in the document, for messages that name it.
    for (const block of blocks) writeFileSync(this.fileOf(block), `${"\n".repeat(block.line - 1)}${block.code}\n`);
  }

  fileOf(block: Block): string {
    return join(this.folder, nameOf(block));
  }

  /**
   * Errors of all blocks, each with its place in the document.
   *
   * @param changes Compiler options other than {@link tsconfig} has. `undefined` removes one.
   */
  async typeErrors(
    compiler: Compiler = "typescript",
    changes: object = {},
    include: readonly string[] = tsconfig.include,
  ): Promise<string[]> {
    const config = join(this.folder, `tsconfig.${compiler}.${this.#configs++}.json`);
    const compilerOptions = { ...tsconfig.compilerOptions, ...changes };
    writeFileSync(config, JSON.stringify({ compilerOptions, include }));
    const program = join(root, "node_modules", compiler, "lib/tsc.js");
    const child = spawn(process.execPath, [program, "-p", config, "--pretty", "false"], { cwd: this.folder });
    const { end, stdout, stderr } = await outcomeOf(child, compilerDeadline);
    if (end === 0) return [];
    if (typeof end === "string") return [`The compiler was ended by ${end}`];
    const files = new Map(this.#blocks.map((block) => [nameOf(block), block.file]));
    return `${stdout}${stderr}`
      .trim()
      .split("\n")
      .map((line) => line.replace(/^(\S+)\((\d+),(\d+)\)/, (_, name, row) => `${files.get(name) ?? name}:${row}`));
  }

  /** Runs a block until it ends. */
  run(block: Block): Promise<Outcome> {
    return outcomeOf(this.#spawn(block));
  }

  /** Runs a block that listens, on another port than it says. */
  async start(block: Block): Promise<RunningServer> {
    const child = this.#spawn(block);
    const outcome = outcomeOf(child);
    const port = await Promise.race([
      once(child, "message").then(([message]) => message as number),
      outcome.then(({ end, stderr }) => {
        throw new Error(`The server of ${block.name} ended (${end}) before it listened: ${stderr}`);
      }),
    ]);
    return {
      port,
      stop() {
        child.kill("SIGTERM");
        return outcome;
      },
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(block: Block): ChildProcess {
    const cwd = makeFolder(join(this.folder, `run-${nameOf(block)}`));
    return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", runner, this.fileOf(block)], {
      cwd,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
  }
}

/** Starts `work` for all items, `limit` of them at a time. */
export function startAll<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Map<T, Promise<R>> {
  const lanes = Array.from({ length: limit }, () => Promise.resolve());
  return new Map(
    items.map((item, index) => {
      const result = (lanes[index % limit] as Promise<void>).then(() => work(item));
      const settled = result.then(ignore, ignore);
      lanes[index % limit] = settled;
      return [item, result];
    }),
  );
}

function nameOf({ file, line }: Block): string {
  return `${file.replace(/[^a-z0-9]+/gi, "-")}-${line}.ts`;
}

function makeFolder(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

async function outcomeOf(child: ChildProcess, within: number = deadline): Promise<Outcome> {
  const timer = setTimeout(() => child.kill("SIGKILL"), within);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      if (output[name].length < longestOutput) output[name] += text;
    });
  }
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  return { end: code ?? signal, ...output };
}

function ignore(): void {}
