/** The applications of the suite in test/contracts/serving-suite.ts: the scenarios, routed by a framework that an example brings. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Example, type InstallOptions, installExample } from "./example.ts";
import { root } from "./package.ts";
import type { ServerProcess } from "./server-process.ts";

const fixtures = join(root, "test/frameworks/fixtures");

export interface FixtureOptions {
  /** @default this process's Node */
  program?: string;
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/** Starts `fixtures/<name>/server.mjs` with what `examples/<name>` installs. */
export async function startFixture(
  name: string,
  { program, args = [], env = {}, ...options }: InstallOptions & FixtureOptions = {},
): Promise<ServerProcess> {
  const files = [join(fixtures, "scenarios.mjs"), join(fixtures, name, "server.mjs")];
  const example = await installExample(name, { ...options, files });
  return example.start([...args, "server.mjs"], program === undefined ? { env } : { program, env });
}

/**
 * Returns a function that starts an application which must be built: the example with the files of `fixtures/<name>` copied
 * over it, and the routes of the scenarios in addition to its own. It is built once.
 */
export function builtFixture(
  name: string,
  { env, ...options }: InstallOptions & { env?: NodeJS.ProcessEnv } = {},
): () => Promise<ServerProcess> {
  let built: Promise<Example> | undefined;
  return async () => {
    built ??= build(name, options);
    return (await built).startScript(env);
  };
}

async function build(name: string, options: InstallOptions): Promise<Example> {
  const own = readdirSync(join(fixtures, name)).map((entry) => join(fixtures, name, entry));
  const example = await installExample(name, { ...options, files: [join(fixtures, "scenarios.mjs"), ...own] });
  await example.build();
  return example;
}

/** Starts an example as it is, after its build where it has one and the script wants one. */
export async function startExample(
  name: string,
  { env, script = "start", ...options }: InstallOptions & { env?: NodeJS.ProcessEnv; script?: "start" | "dev" } = {},
): Promise<ServerProcess> {
  const example = await installExample(name, options);
  if (script === "start" && example.scripts.build !== undefined) await example.build();
  return example.startScript(env, script);
}
