/** Published clients, installed by npm where a test asks for them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { installPackages } from "./example.ts";
import { root } from "./package.ts";

/** The versions that are tested. `npm run outdated` names newer ones. */
export const versions: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, "test/clients/versions.json"), "utf8"),
);

/** Imports a module of these packages, as an application that has them would. */
export async function loadClients(): Promise<(specifier: string) => Promise<Record<string, never>>> {
  const folder = await installPackages(versions);
  const loader = join(folder, "load.mjs");
  writeFileSync(loader, "export const load = (specifier) => import(specifier);\n");
  const { load } = (await import(pathToFileURL(loader).href)) as {
    load: (specifier: string) => Promise<Record<string, never>>;
  };
  return load;
}
