// Prepared statements: the server parses and plans a statement once for each connection, in place of each time.
import type { PgPoolClientLike } from "./connection.ts";
import type { Statement } from "./statement.ts";

/**
 * Runs statements by their names, until a connection does not know one that the client has prepared on it. PgBouncer lends
 * another connection for each transaction, and before 1.21 it did not move prepared statements with the client. From then on,
 * statements are sent with their text.
 */
export class PreparedStatements {
  /** Never true again once it was false: the pooler would have to be replaced under a running process. */
  #areKept = true;

  /** @param values The parameters; without any, the text may have several statements. */
  query(
    client: Pick<PgPoolClientLike, "query">,
    { text, name }: Statement,
    values?: unknown[],
  ): Promise<{ rows: unknown[] }> {
    if (name === undefined || !this.#areKept) return client.query({ text, values });
    return client.query({ text, name, values }).catch((error: unknown) => {
      if (!isMisplaced(error)) throw error;
      this.#areKept = false;
      // The server has not executed anything.
      return client.query({ text, values });
    });
  }
}

/** The connection has no statement with the name, or one that another client has prepared. */
function isMisplaced(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === "26000" || code === "42P05";
}
