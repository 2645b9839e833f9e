import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createHub } from "../../src/index.ts";
import { presence } from "../../src/presence/index.ts";
import { eventually, within } from "../support/deadline.ts";
import { file, openLog, readAll, selecting } from "../support/sqlite.ts";

const holder = join(import.meta.dirname, "fixtures/presence-holder.ts");
/** A lease that a busy machine does not miss. */
const options = { grace: "500ms", lease: "3s" } as const;
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
});

test("processes that share a file know who is there, and tell once of those whose process was killed", async () => {
  const path = file();
  const first = await hold(path, "ada", "bob");
  const second = await hold(path, "bob", "carl");
  const third = await hold(path, "dora");
  expect([first.said, second.said, third.said]).toEqual(["ada,bob", "ada,bob,carl", "ada,bob,carl,dora"]);

  const log = openLog({ path });
  await using hub = createHub({ log, presence: presence(options) });
  const members = async () => (await hub.channel("room").members()).map(({ id }) => id).sort();
  expect(await members()).toEqual(["ada", "bob", "carl", "dora"]);

  await kill(first.child);
  expect(await eventually("ada has left", members, (ids) => !ids.includes("ada"))).toEqual(["bob", "carl", "dora"]);

  // Both at once; only this process remains to announce it.
  await Promise.all([kill(second.child), kill(third.child)]);
  expect(await eventually("all have left", members, (ids) => ids.length === 0)).toEqual([]);

  const told = await readAll(log, selecting("room"));
  const left = told.filter(({ type }) => type === "leave").map(({ data }) => JSON.parse(data).id);
  expect(left[0]).toBe("ada");
  expect(left.slice(1).sort()).toEqual(["bob", "carl", "dora"]);
  expect(told.filter(({ type }) => type === "join")).toHaveLength(4);
});

async function hold(path: string, ...ids: string[]): Promise<{ child: ChildProcess; said: string }> {
  const args = [holder, path, JSON.stringify(options), ...ids];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [said] = await within(20_000, "a process that says who is there", once(child.stdout, "data"));
  return { child, said: String(said).trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}
