// Which file of src may import which: the real imports, the rules on made-up ones, and the files that repeat the rules.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  boundaryViolations,
  cycles,
  importsOf,
  isPlatform,
  layers,
  platformFiles,
  violation,
  violations,
} from "../../scripts/lib/boundaries.mjs";
import { root } from "../support/package.ts";

const importing = (file: string, specifier: string, typeOnly = false) => ({ file, specifier, typeOnly, line: 1 });

test("every import in src keeps the order of the layers, and none closes a circle", () => {
  expect(boundaryViolations(root)).toEqual([]);
});

test("everything at the top of src is a layer", () => {
  expect(readdirSync(join(root, "src")).filter((name) => !layers.includes(name))).toEqual([]);
});

describe("the files that repeat the rules", () => {
  test("tsconfig.core.json leaves out exactly the files that may know a platform, and tsconfig.node.json has them", () => {
    expect(configOf("tsconfig.core.json").exclude).toEqual(platformFiles);
    expect(configOf("tsconfig.node.json").include).toEqual(platformFiles);
  });

  test("biome.json refuses the globals of one platform in all other files", () => {
    const overrides: { includes: string[]; linter?: { rules: { style?: { noRestrictedGlobals?: unknown } } } }[] =
      configOf("biome.json").overrides;
    const includes = overrides.find(({ linter }) => linter?.rules.style?.noRestrictedGlobals)?.includes ?? [];
    const excluded = includes
      .filter((glob) => glob.startsWith("!"))
      .map((glob) => glob.slice(1).replace(/\/\*\*$/, ""));
    expect(excluded).toEqual(platformFiles);
  });

  test("ARCHITECTURE.md starts with the layers, in their order", () => {
    const picture = /```text\n([\s\S]*?)```/.exec(readFileSync(join(root, "ARCHITECTURE.md"), "utf8"))?.[1] ?? "";
    const named = picture.split("\n").flatMap((line) => /^([a-z]+(?:\.ts)?)\/?(?= |$)/.exec(line)?.[1] ?? []);
    const present = readdirSync(join(root, "src"));
    expect(named).toEqual(layers.filter((layer) => present.includes(layer)));
  });
});

describe("the rules", () => {
  test.each([
    ["source/source.ts", false],
    ["logs/memory/index.ts", false],
    ["sinks/web.ts", false],
    ["client/subscribe.ts", false],
    ["presence/index.ts", false],
    ["sinks/node.ts", true],
    ["sinks/node-request.ts", true],
    ["logs/sqlite/driver.ts", true],
    ["adapters/oak.ts", true],
    ["testing/index.ts", true],
    ["bindings/react.ts", true],
  ])("whether %s may know a platform: %s", (file, expected) => expect(isPlatform(file)).toBe(expected));

  test.each([
    ["wire/parse.ts", "../base/errors.ts"],
    ["source/source.ts", "../wire/encode.ts"],
    ["source/source.ts", "./set.ts"],
    ["hub/hub.ts", "../logs/memory/index.ts"],
    ["sinks/node.ts", "node:http"],
    ["adapters/node.ts", "../sinks/node.ts"],
    ["adapters/node.ts", "./adapter.ts"],
    ["adapters/oak.ts", "./oak/target.ts"],
    ["adapters/oak/target.ts", "../oak.ts"],
    ["logs/sqlite/index.ts", "node:sqlite"],
    ["logs/memory/index.ts", "./ring.ts"],
    ["client/engine.ts", "./reconnect.ts"],
    ["client/engine.ts", "../wire/contract.ts"],
    ["bindings/react.ts", "react"],
    ["bindings/react.ts", "../client/subscribe.ts"],
    ["bindings/react.ts", "./on-demand.ts"],
    ["bindings/svelte.ts", "./svelte/store.ts"],
    ["bindings/svelte.ts", "svelte/reactivity"],
    ["testing/index.ts", "../logs/memory/index.ts"],
    ["index.ts", "./presence/index.ts"],
  ])("%s may import %s", (file, specifier) => expect(violation(importing(file, specifier))).toBeUndefined());

  test.each([
    ["base/errors.ts", "../wire/encode.ts", "stands before"],
    ["base/clock.ts", "node:timers", "no node:"],
    ["wire/frame.ts", "../http/headers.ts", "stands before"],
    ["sinks/sink.ts", "../source/options.ts", "stands before"],
    ["hub/hub.ts", "../presence/index.ts", "stands before"],
    ["log/log.ts", "../logs/memory/index.ts", "stands before"],
    ["source/source.ts", "../index.ts", "stands before"],
    ["source/source.ts", "../friend.ts", "stands before"],
    ["source/source.ts", "node:events", "no node:"],
    ["source/source.ts", "../sinks/node.ts", "knows a platform"],
    ["hub/hub.ts", "../logs/sqlite/index.ts", "knows a platform"],
    ["source/source.ts", "fast-check", "no dependencies"],
    ["source/source.ts", "../../package.json", "Nothing outside of src"],
    ["adapters/oak.ts", "./node.ts", "never import each other"],
    ["adapters/oak.ts", "@oakserver/oak", "no dependencies"],
    ["logs/redis/index.ts", "../memory/ring.ts", "never import each other"],
    ["logs/redis/index.ts", "redis", "no dependencies"],
    ["client/engine.ts", "../source/source.ts", "client/ imports only"],
    ["client/engine.ts", "node:http", "no node:"],
    ["client/engine.ts", "react", "no dependencies"],
    ["bindings/vue.ts", "react", "no dependencies"],
    ["bindings/vue.ts", "./react.ts", "never import each other"],
    ["bindings/vue.ts", "../hub/hub.ts", "bindings/ imports only"],
    ["bindings/vue.ts", "node:http", "no node:"],
    ["friend.ts", "./base/errors.ts", "is not a layer"],
  ])("%s must not import %s", (file, specifier, why) => {
    expect(violation(importing(file, specifier))).toContain(why);
  });

  test("a type is imported under the same rules as a value", () => {
    expect(violation(importing("sinks/sink.ts", "../source/options.ts", true))).toContain("stands before");
    expect(violation(importing("client/engine.ts", "../source/event.ts", true))).toContain("client/ imports only");
  });
});

describe("circles", () => {
  const circle = [
    importing("hub/a.ts", "./b.ts"),
    importing("hub/b.ts", "./c.ts", true),
    importing("hub/c.ts", "./a.ts"),
    importing("hub/c.ts", "./d.ts"),
  ];

  test("are found through types too, and each is named once", () => {
    expect(cycles(circle)).toEqual([["hub/a.ts", "hub/b.ts", "hub/c.ts"]]);
    expect(cycles(circle.slice(1))).toEqual([]);
    expect(cycles([importing("hub/a.ts", "./a.ts")])).toEqual([["hub/a.ts"]]);
  });

  test("an exception excuses an import or a circle, and one that excuses nothing is an error", () => {
    expect(violations(circle, [])).toEqual(["Import cycle: hub/a.ts -> hub/b.ts -> hub/c.ts -> hub/a.ts"]);
    expect(violations(circle, ["hub/c.ts -> hub/a.ts"])).toEqual([]);
    expect(violations(circle, ["hub/c.ts -> hub/a.ts", "hub/c.ts -> hub/d.ts"])).toEqual([
      expect.stringContaining('"hub/c.ts -> hub/d.ts" is no longer needed'),
    ]);
    const upward = importing("wire/a.ts", "../hub/a.ts");
    expect(violations([upward], [])).toEqual([expect.stringContaining("src/wire/a.ts:1")]);
    expect(violations([upward], ["wire/a.ts -> hub/a.ts"])).toEqual([]);
  });
});

test("imports are found in every form, and not in comments", () => {
  const text = [
    'import { a } from "./a.ts";',
    "import type {",
    "  B,",
    '} from "./b.ts";',
    'export { c } from "./c.ts";',
    'import "./d.ts";',
    '  const e = await import("./e.ts");',
    ' * import { f } from "f";',
    '// const g = require("g");',
    'export type H = import("./h.ts").H;',
  ].join("\n");
  const found = importsOf("x.ts", text).map(({ line, specifier, typeOnly }) => ({
    line,
    specifier,
    typeOnly,
  }));
  expect(found).toEqual([
    { line: 1, specifier: "./a.ts", typeOnly: false },
    { line: 2, specifier: "./b.ts", typeOnly: true },
    { line: 5, specifier: "./c.ts", typeOnly: false },
    { line: 6, specifier: "./d.ts", typeOnly: false },
    { line: 7, specifier: "./e.ts", typeOnly: false },
    { line: 10, specifier: "./h.ts", typeOnly: false },
  ]);
});

/** A configuration file, without its comments. */
function configOf(file: string) {
  return JSON.parse(readFileSync(join(root, file), "utf8").replace(/^\s*\/\/.*$/gm, ""));
}
