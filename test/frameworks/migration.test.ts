/**
 * The pages on migrations: the code before and the code after each run with the packages that they name, and a client
 * receives the same events from both.
 */
import { globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transform } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import { type Block, blocksOfDocuments } from "../support/blocks.ts";
import { Http1Client } from "../support/client.ts";
import { type Example, installExample } from "../support/example.ts";
import { root } from "../support/package.ts";
import { runQuietly } from "../support/run.ts";
import type { ServerProcess } from "../support/server-process.ts";

const blocks = blocksOfDocuments().filter(({ file }) => file.startsWith("docs/migration/"));
const servers = blocks.filter(({ kind }) => kind === "installed" || kind === "server");
const preload = new URL("../support/listen-on-port.mjs", import.meta.url).href;
let folder: Example;

beforeAll(async () => {
  folder = await installExample("migration", { from: join(root, "test/frameworks/fixtures/migration") });
  for (const block of servers) writeFileSync(join(folder.folder, `${nameOf(block)}.ts`), block.code);
}, 240_000);

test("the code for other packages compiles", async () => {
  expect(await folder.typeErrors()).toBe("");
});

const pages = [...new Set(servers.map(({ file }) => file))];

test("every page has its code before and after, except the one that shows an example", () => {
  const counts = new Map(pages.map((page) => [page, servers.filter(({ file }) => file === page).length]));
  expect(Object.fromEntries([...counts].filter(([, count]) => count !== 2))).toEqual({});
  const all = globSync("docs/migration/*.md", { cwd: root });
  expect(all.filter((page) => !pages.includes(page))).toEqual(["docs/migration/sveltekit-set.md"]);
});

const events = pages.filter((page) => !page.endsWith("/socket-io.md"));

describe.each(events)("%s", (page) => {
  test("a client receives the same event before and after", async () => {
    const [before, after] = servers.filter(({ file }) => file === page);
    const event = { type: "time", data: expect.stringMatching(/^\{"now":\d+\}$/) };
    expect(await firstEvent(before as Block)).toMatchObject(event);
    expect(await firstEvent(after as Block)).toMatchObject(event);
  });
});

test("docs/migration/socket-io.md: a client receives what another one says, before and after", async () => {
  const [before, after] = servers.filter(({ file }) => file === "docs/migration/socket-io.md") as [Block, Block];
  const client = `
    import { io } from "socket.io-client";
    const [listener, speaker] = [io(process.argv[2]), io(process.argv[2])];
    listener.on("connect", () => speaker.emit("say", "Tea is ready", ({ ok }) => console.log(ok)));
    listener.on("said", ({ text }) => {
      console.log(text);
      listener.close();
      speaker.close();
    });`;
  writeFileSync(join(folder.folder, "client.mjs"), client);
  await using old = await start(before);
  const printed = await runQuietly(process.execPath, ["client.mjs", old.origin], { cwd: folder.folder });
  expect(printed).toContain("Tea is ready");

  await using server = await start(after);
  const room = await new Http1Client(server.port, { path: after.path }).opened();
  const said = JSON.stringify({ text: "Tea is ready" });
  expect((await fetch(`${server.origin}${after.path}`, { method: "POST", body: said })).status).toBe(204);
  expect(await room.nextPublished()).toMatchObject({ type: "said", data: said });
  room.leave();
});

async function firstEvent(block: Block): Promise<{ type: string; data: string }> {
  await using server = await start(block);
  const client = await new Http1Client(server.port, { path: block.path }).opened();
  expect(client.headers["content-type"]).toMatch(/^text\/event-stream/);
  const event = await client.nextPublished();
  client.leave();
  return event;
}

/** Without types and decorators, which Node does not run. */
async function start(block: Block): Promise<ServerProcess> {
  const tsconfigRaw = { compilerOptions: { experimentalDecorators: true } };
  const { code } = await transform(block.code, { loader: "ts", format: "esm", target: "node22", tsconfigRaw });
  const file = `${nameOf(block)}.mjs`;
  writeFileSync(join(folder.folder, file), code);
  return folder.start(["--disable-warning=ExperimentalWarning", "--import", preload, file]);
}

function nameOf({ file, line }: Block): string {
  return `${file.replace(/[^a-z0-9]+/gi, "-")}-${line}`;
}
