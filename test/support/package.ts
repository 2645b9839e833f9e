/** package.json and what it promises, read once; every package test goes through it, so a new subpath is in all. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

export interface Manifest {
  name: string;
  exports: Record<string, string | { types: string; default: string }>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

export const manifest: Manifest = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));

export interface Entry {
  /** `"."`, `"./node"`, ... */
  readonly subpath: string;
  /** The specifier in an application: `"sourcecast/node"`. */
  readonly specifier: string;
  readonly types: string;
  readonly code: string;
}

/** The importable subpaths, in the order of package.json. */
export const entries: readonly Entry[] = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string"
    ? []
    : [{ subpath, specifier: manifest.name + subpath.slice(1), types: target.types, code: target.default }],
);

/** How to start npm: the one that runs us, else the one on the PATH. */
export const npm: { command: string; args: string[] } = process.env.npm_execpath?.endsWith("npm-cli.js")
  ? { command: process.execPath, args: [process.env.npm_execpath] }
  : { command: "npm", args: [] };
