/**
 * The pages on servers that write the stream themselves, fed by `channel.read()`: their servers and clients as they stand on the
 * page, with a connection that is lost, and a log that is.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { blocksOfDocuments } from "../support/blocks.ts";
import { type Example, installExample } from "../support/example.ts";
import { root } from "../support/package.ts";
import { ServerProcess } from "../support/server-process.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import { Client } from "./recipe-client.ts";

const preload = new URL("../support/listen-on-port.mjs", import.meta.url).href;
const flags = ["--disable-warning=ExperimentalWarning"];

/** How to call `publish` of each server: the path, and the body for a title. */
const recipes: Record<string, { path: string; body(title: string): unknown }> = {
  trpc: { path: "/publish", body: (title) => title },
  orpc: { path: "/publish", body: (json) => ({ json }) },
  "graphql-yoga": { path: "/graphql", body: mutation },
  apollo: { path: "/graphql", body: mutation },
};

function mutation(title: string): object {
  return { query: "mutation ($title: String!) { publish(title: $title) }", variables: { title } };
}

let example: Example;

beforeAll(async () => {
  example = await installExample("recipes", { from: join(root, "test/clients/fixtures/recipes") });
  for (const name of Object.keys(recipes)) {
    const blocks = blocksOfDocuments().filter((block) => block.file === `docs/recipes/${name}.md`);
    expect(blocks.map(({ kind }) => kind)).toEqual(["installed", "installed"]);
    mkdirSync(join(example.folder, name), { recursive: true });
    for (const [index, file] of ["server.ts", "client.ts"].entries()) {
      writeFileSync(join(example.folder, name, file), blocks[index]?.code ?? "");
    }
  }
}, 240_000);

test("the code of all pages compiles", async () => {
  expect(await example.typeErrors()).toBe("");
});

describe.concurrent.each(Object.keys(recipes))("docs/recipes/%s.md", (name) => {
  const { path, body } = recipes[name] as (typeof recipes)[string];
  const cwd = () => join(example.folder, name);
  const start = (port?: number) => {
    const args = [...flags, "--import", preload, "server.ts"];
    return ServerProcess.start({ args, cwd: cwd(), ...(port !== undefined && { port }) });
  };

  test("the client gets every event once over a lost connection, and learns of a lost log", async () => {
    let server = await start();
    const publish = async (title: string) => {
      const headers = { "content-type": "application/json", origin: server.origin };
      const response = await fetch(server.origin + path, {
        method: "POST",
        headers,
        body: JSON.stringify(body(title)),
      });
      expect([response.status, (await response.text()).includes("error")]).toEqual([200, false]);
    };
    await using network = await FaultProxy.start(server.port);
    await using client = new Client(cwd(), `http://127.0.0.1:${network.port}`);
    try {
      await publish("one");
      await publish("two");
      await client.printed(["one", "two"]);
      await publish("three");
      await client.printed(["one", "two", "three"]);
      network.refuse();
      await publish("four");
      await publish("five");
      network.heal();
      await client.printed(["one", "two", "three", "four", "five"]);

      network.refuse();
      await server.stop("SIGKILL");
      server = await start(server.port);
      network.heal();
      await client.printed(["one", "two", "three", "four", "five", "Lost: reset"]);
      await publish("six");
      await client.printed(["one", "two", "three", "four", "five", "Lost: reset", "six"]);
    } finally {
      await server.stop("SIGKILL");
    }
  });
});
