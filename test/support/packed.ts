/** Global setup: the package as it would be published, made once for all tests of this project. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { setup as build } from "./built.ts";
import { npm, root } from "./package.ts";

declare module "vitest" {
  export interface ProvidedContext {
    tarball: string;
  }
}

export async function setup(project: TestProject): Promise<() => void> {
  await build();
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-pack-"));
  const args = [...npm.args, "pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const printed = execFileSync(npm.command, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const report: unknown = JSON.parse(printed);
  // A list in npm up to 11, an object by package name in some later ones.
  const [entry] = Object.values(report as Record<string, { filename: string }>);
  if (!entry) throw new Error(`npm pack named no tarball: ${printed}`);
  project.provide("tarball", join(folder, entry.filename));
  return () => rmSync(folder, { recursive: true, force: true });
}
