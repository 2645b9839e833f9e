/** Replies as no real server gives them, or only by the mistake of a client. */
import { afterEach, expect, test } from "vitest";
import { Commands, Script } from "../../../src/logs/redis/commands.ts";

const listed = new Script("return 1");
const numbered = new Script("return ARGV[1] .. ' ok'", { keys: 1, isNumbered: true });

const open: Commands[] = [];

afterEach(() => {
  for (const commands of open.splice(0)) commands.close();
});

/** Commands on connections that answer with `replyTo`. */
function openCommands(replyTo: (args: readonly string[]) => unknown) {
  const sent: (readonly string[])[] = [];
  const connect = async () => ({
    call(_: string, args: readonly string[]): Promise<unknown> {
      sent.push(args);
      return replyTo(args) as Promise<unknown>;
    },
    close: () => {},
  });
  const commands = new Commands(connect, ["{a}:head", "{a}:entries"]);
  open.push(commands);
  return { commands, sent };
}

const unknown = { code: "ERR_SSE_LOG", stored: "unknown" };

test("the result of a script follows the number of its call, in a list or in one string", async () => {
  const { commands, sent } = openCommands(async (args) => (args[2] === "1" ? `${args[4]} ok ` : [args.at(-1), "ok"]));
  expect(await commands.run(listed, ["b", 2])).toBe("ok");
  expect(await commands.runNumbered(numbered, "7", ["7"])).toBe("ok ");
  expect(sent.map((args) => args.slice(2))).toEqual([
    ["2", "{a}:head", "{a}:entries", "b", "2", "c1"],
    ["1", "{a}:head", "7"],
  ]);
});

test.each([["70 ok"], ["c7 ok"], ["7"], [""], [null], [["70", "ok"]]])(
  "a reply to another call (%j) is an error, and its connection is replaced",
  async (reply) => {
    const { commands } = openCommands(async () => reply);
    await expect(commands.runNumbered(numbered, "7", ["7"])).rejects.toMatchObject(unknown);
    await expect(commands.run(listed, [])).rejects.toMatchObject(unknown);
    expect(commands.openings).toBe(2);
  },
);

test("a client that throws fails the call, and is replaced", async () => {
  const { commands } = openCommands(() => {
    throw new Error("The client is closed");
  });
  await expect(commands.send(["PING"])).rejects.toMatchObject(unknown);
  await expect(commands.send(["PING"])).rejects.toMatchObject(unknown);
  expect(commands.openings).toBe(2);
});

test("a script that the server does not know is sent again with its text", async () => {
  const { commands, sent } = openCommands(async ([command, , , , number]) => {
    if (command === "EVALSHA") throw new Error("NOSCRIPT No matching script. Please use EVAL.");
    return `${number} ok`;
  });
  expect(await commands.runNumbered(numbered, "7", ["7"])).toBe("ok");
  expect(sent.map(([command]) => command)).toEqual(["EVALSHA", "EVAL"]);
  expect(sent[1]).toEqual(["EVAL", numbered.text, "1", "{a}:head", "7"]);
});
