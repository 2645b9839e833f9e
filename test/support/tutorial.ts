/** A page of the docs that says "save this, run it, open it", followed to the letter with the packed package. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { expect, inject } from "vitest";
import { blocksOfDocuments } from "./blocks.ts";
import { installPackages } from "./example.ts";
import { root } from "./package.ts";
import { runQuietly } from "./run.ts";
import { ServerProcess } from "./server-process.ts";

const blocks = blocksOfDocuments();
const preload = new URL("./listen-on-port.mjs", import.meta.url).href;
const flags = ["--disable-warning=ExperimentalWarning"];

export class Tutorial implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "sourcecast-tutorial-"));
  readonly #document: string;

  /** In a folder in which a reader has installed the package. */
  constructor(document: string) {
    this.#document = document;
    writeFileSync(join(this.folder, "package.json"), '{ "private": true, "type": "module" }\n');
    // As npm would, in a fraction of its time.
    const target = join(this.folder, "node_modules/sourcecast");
    mkdirSync(target, { recursive: true });
    execFileSync("tar", ["-xzf", inject("tarball"), "-C", target, "--strip-components=1"], { stdio: "pipe" });
  }

  /** Writes a block into the file that the page names, and a page of HTML next to it. */
  save(file: string, index = 0, kind = "server"): void {
    const text = readFileSync(join(root, this.#document), "utf8");
    expect(text).toContain(`\`${file}\``);
    const block = blocks.filter((one) => one.file === this.#document && one.kind === kind)[index];
    writeFileSync(join(this.folder, file), block?.code ?? "");
    const html = /^```html\n(.*?)^```$/ms.exec(text)?.[1];
    if (html !== undefined) writeFileSync(join(this.folder, "page.html"), html);
  }

  /** Starts a server, on another port than it says. */
  start(program: string, port?: number): Promise<ServerProcess> {
    const args = [...flags, "--import", preload, program];
    return ServerProcess.start({ args, cwd: this.folder, ...(port === undefined ? {} : { port }) });
  }

  /** Runs a program to its end. */
  run(program: string): Promise<string> {
    return runQuietly(process.execPath, [...flags, program], { cwd: this.folder });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A page in which the scripts of the CDN are those of npm, in the versions that it names. */
export async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  await page.route("https://cdn.jsdelivr.net/npm/*@*/**", async (route) => {
    const [, name = "", version = "", file = ""] = /npm\/(@?[^@]+)@([^/]+)\/(.+)$/.exec(route.request().url()) ?? [];
    await route.fulfill({ path: join(await folderOf(name, version), name, file) });
  });
  await page.goto(url);
  return page;
}

/** The folder with a package: that of this repository, if it has the version. */
async function folderOf(name: string, version: string): Promise<string> {
  const own = join(root, "node_modules");
  const manifest = join(own, name, "package.json");
  const isOwn = existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === version;
  return isOwn ? own : installPackages({ [name]: version });
}
