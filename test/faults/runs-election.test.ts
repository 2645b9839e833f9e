/** Processes of their own that start a run in the same chats at once: one of them is elected in each. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { file } from "../support/sqlite.ts";

const elector = join(import.meta.dirname, "fixtures/run-elector.ts");
const processes = 4;
const chats = 25;

test(`of ${processes} processes that start a run at once, one is elected in each of ${chats} chats`, async () => {
  const path = file();
  const children = Array.from({ length: processes }, (_, name) => {
    const child = spawn(process.execPath, [elector, path, `${name}`, `${chats}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    return { child, next: async () => (await lines.next()).value as string };
  });
  for (const { next } of children) expect(await next()).toBe("ready");
  for (const { child } of children) child.stdin.write("go\n");
  const statuses = await Promise.all(children.map(async ({ next }) => JSON.parse(await next()) as number[]));
  for (const { child } of children) child.stdin.end();
  const codes = await Promise.all(children.map(async ({ child }) => (await once(child, "close"))[0]));
  const byChat = Array.from({ length: chats }, (_, chat) => statuses.map((all) => all[chat]).sort());
  expect(byChat).toEqual(Array.from({ length: chats }, () => [200, 409, 409, 409]));
  expect(codes).toEqual([0, 0, 0, 0]);
});
