/** Other runtimes than the Node that runs the tests, from npm, installed when a test asks for them. */
import { join } from "node:path";
import { installPackages } from "./example.ts";
import { root } from "./package.ts";

/** The path of Bun's program, which is a development dependency. */
export const bun: string = join(root, "node_modules/.bin/bun");

/** The path of the program of Node in another version than the one that runs the tests. */
export async function node(version: string): Promise<string> {
  const { platform, arch } = process;
  const system = platform === "win32" ? "win" : platform;
  const name = `${platform === "darwin" && arch === "arm64" ? "node-bin" : "node"}-${system}-${arch}`;
  const modules = await installPackages({ [name]: version });
  return join(modules, name, "bin", platform === "win32" ? "node.exe" : "node");
}

/** The path of Deno's program. */
export async function deno(): Promise<string> {
  const { platform, arch } = process;
  const name = `@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`;
  const modules = await installPackages({ [name]: "2.9.6" });
  return join(modules, name, platform === "win32" ? "deno.exe" : "deno");
}
