/** The client of a page of the docs, in a process of its own: it prints what it receives. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { eventually } from "../support/deadline.ts";

export class Client implements AsyncDisposable {
  readonly #child: ChildProcess;
  #output = "";

  /** Runs `client.ts` of a folder, with another address than it says. */
  constructor(cwd: string, origin: string) {
    const code = readFileSync(join(cwd, "client.ts"), "utf8").replaceAll("http://localhost:3000", origin);
    writeFileSync(join(cwd, "client-of-test.ts"), code);
    this.#child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "client-of-test.ts"], { cwd });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
  }

  /** Waits until it has printed so many lines, which have to be these. */
  async printed(expected: readonly string[]): Promise<void> {
    const lines = () => this.#output.split("\n").slice(0, -1);
    await eventually(
      `the client prints ${expected.length} lines`,
      async () => lines(),
      ({ length }) => length >= expected.length,
      30_000,
    );
    expect(lines()).toEqual(expected);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, "close");
    if (this.#child.kill("SIGKILL")) await closed;
  }
}
