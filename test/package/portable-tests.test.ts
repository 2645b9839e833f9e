import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as miniVitest from "../support/mini-vitest/index.ts";
import { root } from "../support/package.ts";

test("the unit tests use of Vitest only what runs on every runtime: the exports of test/support/mini-vitest", () => {
  const missing: string[] = [];
  for (const file of globSync("test/unit/**/*.ts", { cwd: root })) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, names = ""] of text.matchAll(/^import \{([^}]*)\} from "vitest";/gm)) {
      for (const name of names.split(",").map((each) => each.trim())) {
        if (!name.startsWith("type ") && !(name in miniVitest)) missing.push(`${file}: ${name}`);
      }
    }
  }
  expect(missing).toEqual([]);
});
