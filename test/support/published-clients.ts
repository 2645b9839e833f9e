/** Published clients, installed by npm where a test asks for them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { installPackages } from "./example.ts";

/** The versions that are tested. `npm run outdated` names newer ones. */
const versions = {
  "@ag-ui/client": "1.0.0",
  "@anthropic-ai/sdk": "1.14.0",
  "@microsoft/fetch-event-source": "2.0.1",
  "@modelcontextprotocol/client": "2.4.0",
  "@modelcontextprotocol/sdk": "1.32.2",
  "@modelcontextprotocol/server": "2.4.0",
  "@tanstack/ai": "0.58.0",
  ai: "7.0.173",
  eventsource: "5.1.5",
  "eventsource-client": "1.2.0",
  "launchdarkly-eventsource": "2.2.0",
  openai: "7.57.0",
  zod: "4.6.7",
};

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
