// sourcecast/adapter is enough for an adapter: the one for Oak is made of it and of `sourcecast`, and of nothing else.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/package.ts";

const files = ["adapters/oak.ts", "adapters/oak/context.ts", "adapters/oak/node.ts"];

function read(file: string): string {
  return readFileSync(join(root, "src", file), "utf8");
}

/** The names in the braces of each import or export, with where they come from. */
function namesIn(text: string, keyword: "import" | "export"): { name: string; from: string }[] {
  const statements = text.matchAll(new RegExp(`^${keyword}\\s+(?:type\\s+)?\\{([^}]*)\\}\\s*from\\s*"([^"]+)"`, "gm"));
  return [...statements].flatMap(([, names = "", from = ""]) =>
    names
      .split(",")
      .map((name) => name.trim().replace(/^type\s+/, ""))
      .filter((name) => name !== "")
      .map((name) => ({ name, from })),
  );
}

test("Oak's adapter imports only what sourcecast and sourcecast/adapter export", () => {
  const exported = new Set(
    [read("index.ts"), read("adapters/adapter.ts")].flatMap((text) => namesIn(text, "export").map(({ name }) => name)),
  );
  const imported = files.flatMap((file) => namesIn(read(file), "import").filter(({ from }) => from.startsWith("../")));
  expect(imported.length).toBeGreaterThan(10);
  expect(imported.filter(({ name }) => !exported.has(name))).toEqual([]);
});
