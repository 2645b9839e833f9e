/** Other runtimes than the Node that runs the tests, from npm, installed when a test asks for them. */
import { join } from "node:path";
import { installPackages } from "./example.ts";
import { root } from "./package.ts";

/** The path of Bun's program, which is a development dependency. */
export const bun: string = join(root, "node_modules/.bin/bun");

/** The path of Deno's program. */
export async function deno(): Promise<string> {
  const { platform, arch } = process;
  const name = `@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`;
  const modules = await installPackages({ [name]: "2.9.6" });
  return join(modules, name, platform === "win32" ? "deno.exe" : "deno");
}
