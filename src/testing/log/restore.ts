// A copy of the log that is restored and continued: nothing of the lost history may be mistaken for the new one.
import assert from "node:assert/strict";
import type { Appended } from "../../log/log.ts";
import { at, entry, hasCode, range } from "./ask.ts";
import { verification } from "./locate.ts";
import { assertEndsAt } from "./loss.ts";
import type { TestContext, TestScenario } from "./scenario.ts";

export function testRestore(scenario: TestScenario): void {
  // A copy that is restored and continued is a rewritten tail. Every cache of the log, of prepared statements or pages
  // too, has to notice that its file or its keyspace is another one.
  scenario("restore: positions that the copy has hold, and those of the lost history do not", {}, async (context) => {
    const { log } = context;
    const { placed, lost } = await loseAfterCopy(context);
    // Right after the restore the lost offsets are past the head. Once they are written again, only witnesses tell.
    for (const cursor of placed) assert.equal(await verification(log, cursor), "same");
    for (const cursor of lost) assert.equal(await verification(log, cursor), "other");
    // More than was lost, so that the log has each lost offset again, and is past all of them.
    await log.append(range(4, 9).map((i) => entry("b", `${i} again`)));
    for (const cursor of placed) assert.equal(await verification(log, cursor), "same");
    for (const cursor of lost) {
      assert.equal(await verification(log, cursor), "other", `at ${cursor.offset}`);
      await assert.rejects(log.append([entry("quiet", "", { after: cursor })]), hasCode("ERR_SSE_CONFLICT"));
    }
  });

  // A position of the lost history MUST NOT become valid once its offset is trimmed. A log that checks witnesses of
  // retained entries alone answers `same` for everything below its floor.
  scenario(
    "restore: a lost position stays one, even when its offset was trimmed since",
    { maxEvents: 4 },
    async (context) => {
      const { log, eventually } = context;
      const { placed, lost } = await loseAfterCopy(context);
      // One call after another, since a log may trim once per call: the lost offsets have to leave the log for certain.
      for (const i of range(4, 30)) await log.append([entry("b", `${i} again`)]);
      await eventually(async () => assert.equal((await log.head()).floor.offset, 26));
      for (const cursor of lost) {
        assert.notEqual(await verification(log, cursor), "same", `at ${cursor.offset}`);
        await assert.rejects(log.append([entry("quiet", "", { after: cursor })]), hasCode("ERR_SSE_CONFLICT"));
      }
      // Retention may have taken their witnesses, so `unknown` is allowed here, but not `other`.
      for (const cursor of placed) assert.notEqual(await verification(log, cursor), "other", `at ${cursor.offset}`);
    },
  );

  // The same promise as after a loss, for a log whose entries are replaced as a whole, with its indexes and its head.
  scenario("restore: a tail continues in place of the lost entries", {}, async (context) => {
    const { log, follow, eventually } = context;
    const tail = follow(await at(log, 0));
    await log.append(range(1, 3).map((i) => entry("a", `${i}`)));
    const restore = await copyOf(context);
    await log.append(range(4, 6).map((i) => entry("a", `${i}`)));
    await tail.count(6);
    await restore();
    await eventually(async () => assert.equal((await log.head()).top, 3));
    await log.append(range(4, 9).map((i) => entry("a", `${i} again`)));
    await assertEndsAt(context, tail, 6, 9);
  });
}

/** The log has the entries 1 to 3, and has lost 4 to 6, which came after the copy. */
async function loseAfterCopy(context: TestContext): Promise<{ placed: Appended[]; lost: Appended[] }> {
  const { log, eventually } = context;
  const placed = await log.append(range(1, 3).map((i) => entry("a", `${i}`)));
  const restore = await copyOf(context);
  const lost = await log.append(range(4, 6).map((i) => entry("a", `${i}`)));
  await restore();
  // The log has to notice the copy on its own: nothing but the storage has changed.
  await eventually(async () => assert.equal((await log.head()).top, 3));
  return { placed, lost };
}

/** Resolves with a function that restores the storage as it is now, under the logs that are open. */
async function copyOf({ storage }: TestContext): Promise<() => unknown> {
  if (storage.copy === undefined) throw new Error("The storage of a restorable log has no copy(); add it");
  return storage.copy();
}
