import { describe, expect, test } from "vitest";
import { boundaryViolations, importsOf, layerOf, violation } from "../../scripts/lib/boundaries.mjs";
import { root } from "../support/package.ts";

test("every import in src is allowed between its layers", () => {
  expect(boundaryViolations(root)).toEqual([]);
});

describe("the rules", () => {
  test.each([
    ["encode.ts", "core"],
    ["hub/channel.ts", "core"],
    ["logs/log.ts", "core"],
    ["logs/memory.ts", "core"],
    ["sinks/web.ts", "core"],
    ["sinks/node.ts", "platform"],
    ["sinks/node-exchange.ts", "platform"],
    ["logs/redis.ts", "log"],
    ["adapters/oak.ts", "adapter"],
    ["client/react.ts", "client"],
    ["testing/index.ts", "testing"],
  ])("%s is %s", (file, layer) => expect(layerOf(file)).toBe(layer));

  test.each([
    ["source.ts", "./encode.ts"],
    ["hub/hub.ts", "../logs/memory.ts"],
    ["sinks/node.ts", "node:http"],
    ["adapters/node.ts", "../sinks/node.ts"],
    ["adapters/oak.ts", "./oak/target.ts"],
    ["logs/sqlite.ts", "node:sqlite"],
    ["logs/memory.ts", "./log.ts"],
    ["client/engine.ts", "./reconnect.ts"],
    ["client/engine.ts", "../contract.ts"],
    ["client/react.ts", "react"],
    ["testing/index.ts", "../logs/memory.ts"],
  ])("%s may import %s", (file, specifier) => {
    expect(violation({ file, specifier, typeOnly: false, line: 1 })).toBeUndefined();
  });

  test.each([
    ["source.ts", "node:events"],
    ["source.ts", "./sinks/node.ts"],
    ["source.ts", "./adapters/node.ts"],
    ["source.ts", "./client/engine.ts"],
    ["source.ts", "fast-check"],
    ["source.ts", "../package.json"],
    ["adapters/oak.ts", "./node.ts"],
    ["adapters/oak.ts", "@oakserver/oak"],
    ["logs/redis.ts", "./memory.ts"],
    ["logs/redis.ts", "node:net"],
    ["logs/redis.ts", "redis"],
    ["client/engine.ts", "../source.ts"],
    ["client/vue.ts", "react"],
    ["client/engine.ts", "react"],
  ])("%s must not import %s", (file, specifier) => {
    expect(violation({ file, specifier, typeOnly: false, line: 1 })).toBeTypeOf("string");
  });

  test("the client may import types of the server, a server module may not import types of Node", () => {
    const typeOnly = true;
    expect(violation({ file: "client/engine.ts", specifier: "../event.ts", typeOnly, line: 1 })).toBeUndefined();
    expect(violation({ file: "source.ts", specifier: "node:http", typeOnly, line: 1 })).toBeTypeOf("string");
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
