import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { entries, manifest, npm, root } from "../support/package.ts";

/** An application in a folder of its own, with nothing installed but the packed tarball. */
describe("the packed tarball in an application", () => {
  const app = mkdtempSync(join(tmpdir(), "sourcecast-app-"));

  beforeAll(() => {
    cpSync(join(import.meta.dirname, "fixtures/consumer"), app, { recursive: true });
    writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
    const options = ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=peer"];
    execFileSync(npm.command, [...npm.args, ...options, inject("tarball")], { cwd: app, stdio: "pipe" });
  });

  const [bindings = [], withoutPeers = []] = [true, false].map((wanted) =>
    entries.filter(({ types }) => types.includes("/bindings/") === wanted),
  );

  afterAll(() => rmSync(app, { recursive: true, force: true }));

  test.each(entries)("$specifier is imported without a sound and without keeping the process", ({ specifier }) => {
    const { status, stdout, stderr } = node("--input-type=module", "-e", `await import("${specifier}")`);
    const peers = Object.keys(manifest.peerDependencies ?? {});
    // A binding needs its framework, which this application does not have.
    if (peers.some((peer) => stderr.includes(`Cannot find package '${peer}'`))) return;
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  test("files that package.json does not name are out of reach", () => {
    expect(node("--input-type=module", "-e", 'await import("sourcecast/dist/index.js")').stderr).toContain(
      "ERR_PACKAGE_PATH_NOT_EXPORTED",
    );
  });

  test("an event goes through node:http", () => {
    const { status, stdout, stderr } = node("stream.mjs");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain('data: {"hello":"world"}');
  });

  test("the command follows a stream", () => {
    const { status, stdout, stderr } = node("command.mjs");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({ type: "greeting", data: '{"hello":"world"}' });
  });

  // skipLibCheck is off: our declarations must not ask for types that these applications do not have.
  test("the types fit an application on Node without DOM", () => {
    expect(typeErrors("node", withoutPeers, { lib: ["ESNext"], types: ["node"] })).toBe("");
  });

  test("the types fit an application in the browser without Node", () => {
    const portable = withoutPeers.filter(({ types }) => !/\/(adapters|testing)\/|\/sqlite\./.test(types));
    expect(typeErrors("browser", portable, { lib: ["ESNext", "DOM", "DOM.Iterable"], types: [] })).toBe("");
  });

  test("the types of bindings fit an application that has their frameworks", () => {
    for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
      const link = join(app, "node_modules", peer);
      // The name of a package may have a scope.
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(root, "node_modules", peer), link);
    }
    const options = { lib: ["ESNext", "DOM", "DOM.Iterable"], types: [], skipLibCheck: true };
    expect(typeErrors("bindings", bindings, options)).toBe("");
  });

  function node(...args: string[]) {
    return spawnSync(process.execPath, args, { cwd: app, encoding: "utf8", timeout: 20_000 });
  }

  function typeErrors(name: string, subpaths: typeof entries, options: Record<string, unknown>): string {
    const code = subpaths.map(({ specifier }, i) => `export * as e${i} from "${specifier}";\n`).join("");
    writeFileSync(join(app, `${name}.ts`), code);
    const compilerOptions = {
      ...options,
      typeRoots: [join(root, "node_modules/@types")],
      target: "ES2023",
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    };
    writeFileSync(join(app, `tsconfig.${name}.json`), JSON.stringify({ compilerOptions, files: [`${name}.ts`] }));
    return node(join(root, "node_modules/typescript/lib/tsc.js"), "-p", `tsconfig.${name}.json`).stdout;
  }
});
