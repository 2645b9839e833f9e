/** Applications of test/browser/fixtures/bindings, each bundled with its framework, in a page of a hub's server. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import type { Page } from "playwright-core";
import { compile } from "svelte/compiler";
import { installPackages } from "./example.ts";
import { root } from "./package.ts";

const fixtures = join(root, "test/browser/fixtures");

/** The frameworks that have a binding, by name: their application, and a folder of packages in place of this repository's. */
export const bindings: readonly { name: string; file: string; packages?: () => Promise<string> }[] = [
  { name: "React 19", file: "react.jsx" },
  { name: "React 18", file: "react.jsx", packages: () => installPackages(dependenciesOf("react-18")) },
  { name: "Svelte 5", file: "svelte.js" },
  { name: "Svelte stores", file: "stores.js" },
  { name: "Vue 3", file: "vue.js" },
];

/** As much of `globalThis.app` as all applications have. */
export interface BindingApp {
  mount(props: Partial<BindingProps>): void;
  update(props: Partial<BindingProps>): void;
  unmount(): void;
  readonly log: string[];
}

export interface BindingProps {
  channel: string;
  /** The number of rows, each of which shows the events. */
  count: number;
  /** One subscription for all rows, or one for each. */
  shared: boolean;
  /** Over how many channels the rows with a subscription of their own are spread: a0, a1 and so on. */
  spread: number;
  /** The rows are put away, and nothing else. */
  hidden: boolean;
  /** React: a value that only functions of the latest rendering have. */
  note: string;
}

/** The application as one script. */
export async function bundleBinding(file: string, packages?: string): Promise<string> {
  const alias = packages ? { react: join(packages, "react"), "react-dom": join(packages, "react-dom") } : {};
  const { outputFiles } = await build({
    entryPoints: [join(fixtures, "bindings", file)],
    bundle: true,
    write: false,
    format: "iife",
    jsx: "automatic",
    conditions: ["browser", "development"],
    define: {
      "process.env.NODE_ENV": '"development"',
      __VUE_OPTIONS_API__: "false",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    },
    alias,
    plugins: [svelte],
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}

/** The state of one row, as it shows it. */
export interface Row {
  text: string;
  calls: number;
  renders: number;
}

export function rows(page: Page): Promise<Row[]> {
  return page.$$eval("output", (outputs) =>
    outputs
      // React keeps the elements of a hidden part.
      .filter((output) => output.style.display !== "none")
      .map(({ textContent, dataset }) => ({
        text: textContent ?? "",
        calls: Number(dataset.calls),
        renders: Number(dataset.renders),
      })),
  );
}

const svelte: Plugin = {
  name: "svelte",
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, ({ path }) => ({
      contents: compile(readFileSync(path, "utf8"), { filename: path, generate: "client", dev: true }).js.code,
    }));
  },
};

function dependenciesOf(fixture: string): Record<string, string> {
  return JSON.parse(readFileSync(join(fixtures, fixture, "package.json"), "utf8")).dependencies;
}
