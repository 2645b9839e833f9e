// Gets a database ready for a log: checks what it needs, creates the schema, or brings that of an older version up to date.
import { LogError } from "../../base/errors.ts";
import type { Connection } from "./connection.ts";
import { functions, type Migration, migrations, type SchemaNames } from "./schema/index.ts";

/** The oldest server: 13 has `gen_random_uuid()`. */
const oldestServer = 13;
/** Two processes that start at once may get in each other's way where transactions are not read committed. */
const maxAttempts = 5;

/**
 * Makes the schema ready. Nothing is written before everything that can be checked was checked. Each migration runs once, in
 * one transaction, however many processes start at the same time.
 *
 * @param steps The migrations, for tests.
 * @throws {LogError} for a server, a user or a schema that the log cannot use.
 */
export async function prepare(
  connection: Connection,
  names: SchemaNames,
  steps: readonly Migration[] = migrations,
): Promise<void> {
  // The steps are in the order of their versions.
  const latest = steps.at(-1)?.version ?? 0;
  // The probe works without the schema, and on servers of any version.
  const found = JSON.parse(await connection.background({ text: probe(names) }, names.name)) as Found;
  assertUsable(found, names);
  const version = found.hasMigrations ? Number(await connection.background({ text: versionOf(names) })) : 0;
  // An older version must not write: it does not know what the tables mean by now.
  if (version > latest) {
    throw new LogError(
      `A newer version of this package wrote the schema ${JSON.stringify(names.name)} (version ${version}; this one supports ` +
        `up to ${latest}); update the package, or give the log another schema`,
      false,
    );
  }
  // The usual case: two questions, and nothing is written.
  if (version === latest) return;
  // Only here, so that a user without CREATE can use a schema that is up to date.
  assertMayCreate(found, names);
  for (let attempt = 1; ; attempt++) {
    try {
      return await connection.script(script(names, steps, latest));
    } catch (error) {
      const { code } = error as { code?: unknown };
      // A table exists in a schema that has no migrations, and that was there before this process started.
      if (code === "42P07" && version === 0 && found.oid !== null) throw occupied(names, error);
      // Serialization failures, and objects that the other process has created a moment earlier.
      if (attempt === maxAttempts || !/^(23505|40001|42P0[67]|42710)$/.test(String(code))) throw error;
    }
  }
}

/** The answer of the probe. */
interface Found {
  /** The major version. */
  readonly server: number;
  readonly encoding: string;
  readonly user: string;
  readonly database: string;
  /** The server is a standby: nothing can be written there, and what is read may lag. */
  readonly replica: boolean;
  /** The schema, `null` when it does not exist. */
  readonly oid: number | null;
  /** The user may create a schema in this database. */
  readonly mayCreateSchema: boolean;
  /** `null` without a schema, as the next one. */
  readonly mayUse: boolean | null;
  readonly mayCreate: boolean | null;
  readonly hasMigrations: boolean;
  /** Tables that this user may not read and write. */
  readonly denied: readonly string[] | null;
}

/** One question for everything that is checked. It needs no privilege of its own. */
function probe({ schema }: SchemaNames): string {
  return `
    SELECT json_build_object(
      'server', current_setting('server_version_num')::integer / 10000,
      'encoding', current_setting('server_encoding'),
      'user', current_user,
      'database', current_database(),
      'replica', pg_is_in_recovery(),
      'oid', oid,
      'mayCreateSchema', has_database_privilege(current_database(), 'CREATE'),
      'mayUse', has_schema_privilege(oid, 'USAGE'),
      'mayCreate', has_schema_privilege(oid, 'CREATE'),
      'hasMigrations', EXISTS (SELECT FROM pg_class WHERE relnamespace = oid_of.oid AND relname = 'migration'),
      'denied', (
        SELECT json_agg(relname ORDER BY relname) FROM pg_class
        WHERE relnamespace = oid_of.oid AND relkind = 'r' AND NOT (
          has_table_privilege(pg_class.oid, 'SELECT') AND has_table_privilege(pg_class.oid, 'INSERT')
          AND has_table_privilege(pg_class.oid, 'UPDATE') AND has_table_privilege(pg_class.oid, 'DELETE')
        ) AND relname <> 'migration'
      )
    )::text AS reply
    FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = $1::text) AS oid) AS oid_of
    -- ${schema}`;
}

/** The newest migration that was run. */
function versionOf({ schema }: SchemaNames): string {
  return `SELECT coalesce(max(version), 0)::text AS reply FROM ${schema}.migration`;
}

/** @throws {LogError} for a server or a user that no migration can fix. */
function assertUsable(
  { server, encoding, user, database, replica, oid, mayUse, denied }: Found,
  { name }: SchemaNames,
): void {
  const reject = (reason: string) => {
    throw new LogError(reason, false);
  };
  if (server < oldestServer) {
    reject(`The server is PostgreSQL ${server}, and the log needs ${oldestServer} or newer; update the server`);
  }
  if (encoding !== "UTF8") {
    reject(`The database ${JSON.stringify(database)} has the encoding ${encoding}; the log needs a database with UTF8`);
  }
  if (replica) {
    // As the server itself would answer a statement that writes, so that the failure is tried again: a failover may be
    // under way.
    throw Object.assign(new Error("the server is in recovery"), { code: "25006" });
  }
  const lacking = oid !== null && mayUse === false ? `USAGE on the schema ${JSON.stringify(name)}` : null;
  const tables = denied?.map((table) => JSON.stringify(table)).join(", ");
  const needed =
    lacking ??
    (tables === undefined
      ? null
      : `SELECT, INSERT, UPDATE and DELETE on the tables ${tables} of the schema ${JSON.stringify(name)}`);
  if (needed !== null) reject(`The user ${JSON.stringify(user)} lacks the privilege ${needed}; grant it`);
}

/** @throws {LogError} for a user who may not create what is missing. */
function assertMayCreate({ user, database, oid, mayCreateSchema, mayCreate }: Found, { name }: SchemaNames): void {
  if (oid === null ? mayCreateSchema : mayCreate === true) return;
  const place = oid === null ? `database ${JSON.stringify(database)}` : `schema ${JSON.stringify(name)}`;
  throw new LogError(
    `The user ${JSON.stringify(user)} lacks the privilege CREATE on the ${place}, which the log needs to create its tables; grant it, ` +
      "or let a user who has it open the log once",
    false,
  );
}

/** A table of the same name was there before the first migration. */
function occupied({ name }: SchemaNames, cause: unknown): LogError {
  return new LogError(
    `The schema ${JSON.stringify(name)} has tables of another program; give the log a schema of its own`,
    false,
    { cause },
  );
}

/**
 * All steps that are missing, as one statement, which is one transaction. Its lock makes processes wait for one another, and is
 * held until the end of the statement: a process that dies in the middle leaves neither a lock nor half a schema. The
 * version is read under the lock, since another process may have run the steps in between. The functions come last: they use what
 * the steps have made. Clients print the notices of
 * `IF NOT EXISTS`, so these are turned off.
 *
 * `CREATE SCHEMA` is skipped where the schema exists: it needs a privilege on the database even if it has nothing to create.
 */
function script(names: SchemaNames, steps: readonly Migration[], latest: number): string {
  const { name, schema, lock } = names;
  const missing = steps.map(
    ({ version, statements }) => `
      IF found < ${version} THEN
        ${statements(names)}
        INSERT INTO ${schema}.migration (version) VALUES (${version});
      END IF;`,
  );
  return `
    DO $migration$
    DECLARE
      found integer;
    BEGIN
      PERFORM set_config('client_min_messages', 'warning', true);
      PERFORM pg_advisory_xact_lock(${lock}, 0);
      IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '${name.replaceAll("'", "''")}') THEN
        CREATE SCHEMA ${schema};
      END IF;
      CREATE TABLE IF NOT EXISTS ${schema}.migration (
        version integer PRIMARY KEY,
        applied timestamptz NOT NULL DEFAULT clock_timestamp()
      );
      SELECT coalesce(max(version), 0) INTO found FROM ${schema}.migration;
      ${missing.join("\n")}
      IF found < ${latest} THEN
        ${functions(names)}
      END IF;
    END $migration$`;
}
