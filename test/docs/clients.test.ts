import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withTable } from "../../scripts/lib/clients.mjs";
import { publishedClients } from "../clients/published/index.ts";
import { root } from "../support/package.ts";
import { versions } from "../support/published-clients.ts";

test("the table in docs/other-protocols.md is what the tests of published clients recorded (npm run clients)", () => {
  const page = readFileSync(join(root, "docs/other-protocols.md"), "utf8");
  expect(page).toBe(withTable(page));
});

test("the results are those of the clients that are tested, in the versions that are tested", () => {
  const folder = join(root, "test/clients/results");
  const results = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")));
  const recorded = Object.fromEntries(results.map(({ package: name, version }) => [name, version]));
  expect(recorded).toEqual(Object.fromEntries(publishedClients.map(({ package: name }) => [name, versions[name]])));
});
