/** The client of a page of the docs, in a process of its own: it prints what it receives. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

  /** Waits until it has printed these lines, and no others. */
  async printed(lines: readonly string[]): Promise<void> {
    await eventually(
      `the client prints ${lines.join(", ")}`,
      async () => this.#output,
      (output) => output === `${lines.join("\n")}\n`,
      30_000,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, "close");
    if (this.#child.kill("SIGKILL")) await closed;
  }
}
