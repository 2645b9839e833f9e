/**
 * Examples as users have them: a copy in a folder of its own, its framework installed by npm when a test asks for it, and
 * the package unpacked from its tarball.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { inject } from "vitest";
import { npm, root } from "./package.ts";
import { runQuietly } from "./run.ts";
import { type Command, ServerProcess } from "./server-process.ts";

const examples = join(root, "examples");
/**
 * Not below this repository: its own packages would stand in for what an example forgot to name, and Node does not strip
 * types below node_modules.
 */
const cache = join(realpathSync(tmpdir()), `sourcecast-examples-${sha256(root).slice(0, 12)}`);

/** How long another process may take to install the same example. */
const lockDeadline = 240_000;

export interface InstallOptions {
  /** The folder to copy. @default the one in examples/ */
  from?: string;
  /** Other versions than the example's own, for a second installation. */
  versions?: Record<string, string>;
  /** Additional packages, by their versions: plugins that not every user has. */
  packages?: Record<string, string>;
  /** Names a separate copy: test files that run at the same time would overwrite each other's. */
  copy?: string;
  /** Files or folders that the tests add to those of the example. */
  files?: readonly string[];
}

/** Copies and installs an example. Nothing is downloaded where that was done before with the same versions. */
export async function installExample(name: string, options: InstallOptions = {}): Promise<Example> {
  const { versions, packages, copy = "" } = options;
  const variant = [...Object.entries({ ...versions, ...packages }).flat(), copy].filter(Boolean);
  const folder = join(cache, [name, ...variant].join("+").replaceAll("/", "-"));
  mkdirSync(folder, { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    const manifest = copyExample(name, folder, options);
    await installDependencies(folder, manifest);
    await unpackPackage(folder);
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  } finally {
    unlock();
  }
  return new Example(folder);
}

/** Installs packages in a folder of their own, such as a runtime, and returns where they are. */
export async function installPackages(dependencies: Record<string, string>): Promise<string> {
  const name = Object.entries(dependencies).flat().join("+").replaceAll("/", "-");
  // File systems take names of 255 bytes.
  const folder = join(cache, name.length <= 200 ? name : sha256(name));
  mkdirSync(folder, { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    await installDependencies(folder, { dependencies });
  } finally {
    unlock();
  }
  return join(folder, "node_modules");
}

/** An installed example. */
export class Example {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Runs one of its scripts' programs to its end, such as a build. Throws with what it printed when it fails. */
  run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    return runQuietly(process.execPath, args, { cwd: this.folder, env: { ...env } });
  }

  start(args: readonly string[], options: Pick<Command, "program" | "env"> = {}): Promise<ServerProcess> {
    return ServerProcess.start({ args, cwd: this.folder, ...options });
  }

  get scripts(): Readonly<Record<string, string>> {
    return JSON.parse(readFileSync(join(this.folder, "package.json"), "utf8")).scripts;
  }

  /** Starts what `npm start`, or `npm run dev`, would start. */
  startScript(env: NodeJS.ProcessEnv = {}, name: "start" | "dev" = "start", port?: number): Promise<ServerProcess> {
    return ServerProcess.start({ ...this.#script(name), cwd: this.folder, env, ...(port !== undefined && { port }) });
  }

  /** Runs what `npm run build` would run. */
  build(): Promise<string> {
    const { program, args } = this.#script("build");
    return runQuietly(program, args, { cwd: this.folder, env: { NODE_ENV: undefined } });
  }

  /** Without npm and a shell in between, which would get the signals in place of the program. */
  #script(name: "start" | "dev" | "build"): { program: string; args: string[] } {
    const [program = "", ...args] = this.scripts[name]?.split(" ") ?? [];
    const installed = join(this.folder, "node_modules/.bin", program);
    return { program: existsSync(installed) ? installed : program, args };
  }

  /** The errors that TypeScript finds with the example's own tsconfig.json. */
  async typeErrors(): Promise<string> {
    const tsc = join(root, "node_modules/typescript/lib/tsc.js");
    return this.run([tsc, "-p", "tsconfig.json", "--noEmit"]).then(
      () => "",
      (error) => String(error),
    );
  }
}

interface Manifest {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  overrides?: Record<string, unknown>;
}

/** A fresh copy of everything but what was installed or built. */
function copyExample(
  name: string,
  folder: string,
  { from = join(examples, name), versions = {}, packages = {}, files = [] }: InstallOptions,
): Manifest {
  for (const entry of readdirSync(folder)) {
    if (!["node_modules", ".installed", ".unpacked"].includes(entry)) {
      rmSync(join(folder, entry), { recursive: true, force: true });
    }
  }
  cpSync(from, folder, {
    recursive: true,
    filter: (path) => !/node_modules|dist$/.test(basename(path)),
  });
  for (const file of files) cpSync(file, join(folder, basename(file)), { recursive: true });
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const group of [manifest.dependencies, manifest.devDependencies]) {
    for (const dependency of Object.keys(group ?? {})) {
      if (group && versions[dependency]) group[dependency] = versions[dependency];
    }
  }
  manifest.dependencies = { ...manifest.dependencies, ...packages };
  return manifest;
}

async function installDependencies(folder: string, manifest: Manifest): Promise<void> {
  const { sourcecast: _, ...dependencies } = manifest.dependencies ?? {};
  const { devDependencies, overrides } = manifest;
  const wanted = JSON.stringify({ dependencies, devDependencies, overrides });
  const stamp = join(folder, ".installed");
  const version = `${wanted} ${process.platform}-${process.arch}`;
  if (read(stamp) === version) return;
  rmSync(stamp, { force: true });
  rmSync(join(folder, ".unpacked"), { force: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, dependencies }));
  const options = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline"];
  await runQuietly(npm.command, [...npm.args, ...options, "--loglevel=error"], { cwd: folder });
  writeFileSync(stamp, version);
}

/** Installs the packed package, as `npm install sourcecast` would, without asking a registry for it. */
async function unpackPackage(folder: string): Promise<void> {
  const tarball = inject("tarball");
  const stamp = join(folder, ".unpacked");
  const hash = sha256(readFileSync(tarball));
  if (read(stamp) === hash) return;
  const target = join(folder, "node_modules/sourcecast");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  await runQuietly("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"]);
  writeFileSync(stamp, hash);
}

/** Test files run at the same time, and two of them may want the same example. */
async function lock(path: string): Promise<() => void> {
  const deadline = Date.now() + lockDeadline;
  for (;;) {
    try {
      mkdirSync(path);
      return () => rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    // A run that was killed leaves its lock behind.
    const age = existsSync(path) ? Date.now() - statSync(path).mtimeMs : 0;
    if (age > lockDeadline) rmSync(path, { recursive: true, force: true });
    if (Date.now() > deadline) throw new Error(`Another process holds ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function read(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
