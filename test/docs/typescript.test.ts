/** The documentation compiles with each TypeScript that applications have, however they resolve modules. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blocksOfDocstrings, blocksOfDocuments, isSelfContained } from "../support/blocks.ts";
import { installPackages } from "../support/example.ts";
import { type Compiler, Workspace } from "../support/workspace.ts";

const workspace = new Workspace([...blocksOfDocuments(), ...blocksOfDocstrings()].filter(isSelfContained));
afterAll(() => workspace[Symbol.dispose]());

const resolutions: Record<string, object> = {
  nodenext: { module: "NodeNext" },
  bundler: { module: "ESNext", moduleResolution: "bundler" },
  // The libraries that a tsconfig without `lib` has.
  "nodenext with the default lib": { module: "NodeNext", lib: undefined },
};
const compilers: Compiler[] = ["typescript-5", "typescript-6", "typescript"];
const cases = compilers.flatMap((compiler) =>
  Object.entries(resolutions).map(([name, changes]) => ({ compiler, name, changes })),
);

test.each(cases)("$compiler, $name", async ({ compiler, changes }) => {
  expect(await workspace.typeErrors(compiler, changes)).toEqual([]);
});

// The first example of htmx-router's page, with the import changed: its RouteContext and its JSX are the package's own.
const loader = `
import type { RouteContext } from "htmx-router";
import { EventSource } from "sourcecast";

export function loader({ request, render }: RouteContext) {
  const source = new EventSource<true>(request, render);

  const timer = setInterval(() => {
    source.dispatch("message", <b>hello everyone</b>);
    if (source.readyState === 2) { // the source has been closed
      clearInterval(timer);
    }
  }, 1000);

  return source.response();
}
`;

test.each(compilers)(
  "the first example of htmx-router's page compiles with %s",
  async (compiler) => {
    const modules = await installPackages({ "htmx-router": "1.0.3" });
    using page = new Workspace([]);
    const types = join(modules, "htmx-router");
    writeFileSync(join(page.folder, "loader.tsx"), loader);
    writeFileSync(join(page.folder, "jsx.d.ts"), `/// <reference path="${types}/global.d.ts" />\n`);
    const changes = {
      module: "ESNext",
      moduleResolution: "bundler",
      jsx: "preserve",
      paths: { "htmx-router": [`${types}/index.d.ts`] },
    };
    expect(await page.typeErrors(compiler, changes, ["*.ts", "*.tsx"])).toEqual([]);
  },
  120_000,
);
