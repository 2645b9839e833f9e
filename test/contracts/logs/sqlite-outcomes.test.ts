import type { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { SQLiteLike } from "../../../src/logs/sqlite/index.ts";
import { entry, file, open, openLog, readAll } from "../../support/sqlite.ts";

/** A database whose next commit of a write goes wrong: `commit` does it, or not, and throws. */
function failing(inner: DatabaseSync): {
  database: SQLiteLike;
  failNext: (commit: (real: () => void) => void) => void;
} {
  let next: ((real: () => void) => void) | null = null;
  let isWriting = false;
  const runs: Record<string, (real: () => void) => void> = {
    BEGIN(real) {
      isWriting = false;
      real();
    },
    "BEGIN IMMEDIATE"(real) {
      isWriting = true;
      real();
    },
    COMMIT(real) {
      const commit = isWriting ? next : null;
      if (commit !== null) next = null;
      (commit ?? ((it) => it()))(real);
    },
  };
  const database: SQLiteLike = {
    exec: (sql) => inner.exec(sql),
    close: () => inner.close(),
    prepare(sql) {
      const statement = inner.prepare(sql);
      const run = runs[sql];
      if (run === undefined) return statement;
      return {
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
        run: () => run(() => void statement.run()),
      };
    },
  };
  return {
    database,
    failNext: (commit) => {
      next = commit;
    },
  };
}

function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { code: "ERR_SQLITE_ERROR", errcode });
}

const diskFailure = () => sqliteError(1_034, "disk I/O error");

test("a commit that fails leaves the outcome open, and says so", async () => {
  const { database, failNext } = failing(open(file()));
  const log = openLog({ database });
  const failure = {
    code: "ERR_SSE_LOG",
    stored: "unknown",
    message: expect.stringMatching(/whether the events were stored is unknown.*disk I\/O error/),
  };

  failNext(() => {
    throw diskFailure();
  });
  const lost = Promise.allSettled([log.append([entry("a", "lost")]), log.append([entry("b", "lost too")])]);
  for (const result of await lost) expect(result).toMatchObject({ status: "rejected", reason: failure });
  expect(await readAll(log)).toEqual([]);

  failNext((commit) => {
    commit();
    throw diskFailure();
  });
  const once = entry("a", "kept", { idempotencyKey: "once" });
  await expect(log.append([once])).rejects.toMatchObject(failure);
  // The publisher tries again, and its event is there once.
  const [placed] = await log.append([once]);
  expect(placed).toMatchObject({ offset: 1, duplicate: true });
  expect((await readAll(log)).map(({ data }) => data)).toEqual(["kept"]);
});

test("a full disk leaves nothing behind, and says so; a publisher waits for a lock", async () => {
  const { database, failNext } = failing(open(file()));
  const log = openLog({ database });
  failNext(() => {
    throw sqliteError(13, "database or disk is full");
  });
  await expect(log.append([entry("a", "lost")])).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
  failNext(() => {
    throw sqliteError(5, "database is locked");
  });
  await log.append([entry("a", "kept")]);
  expect((await readAll(log)).map(({ offset, data }) => [offset, data])).toEqual([[1, "kept"]]);
});

test("a failed read says that nothing was stored", async () => {
  const inner = open(file());
  const log = openLog({ database: inner });
  inner.exec("DROP TABLE sse_entry");
  await expect(log.read(0, { limit: 1, maxBytes: 1, conflate: true })).rejects.toMatchObject({
    code: "ERR_SSE_LOG",
    stored: false,
    message: expect.stringMatching(/failed to use the database .*no such table/),
  });
});
