// The statements of the log: calls of the functions of its schema.
import type { SchemaNames } from "./schema/index.ts";

/** A statement, with its text and the name under which it is prepared. */
export interface Statement {
  readonly text: string;
  /**
   * The name under which a connection may keep it prepared. The same in all processes, since a pooler may lend one connection
   * to several of them: one name never stands for two texts.
   */
  readonly name?: string | undefined;
}

/** Longer names are cut by the server. */
const maxNameBytes = 63;

/**
 * The calls of the functions of one schema. Each is made once: it is the same text each time, which is also what lets a server
 * recognize it.
 */
export class Statements {
  readonly names: SchemaNames;
  readonly #known = new Map<string, Statement>();

  constructor(names: SchemaNames) {
    this.names = names;
  }

  /**
   * Calls a function. Every function is passed text and returns text, so that all clients agree on types.
   *
   * @param casts The types of its parameters.
   */
  call(name: string, casts: readonly string[] = ["json"]): Statement {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { schema } = this.names;
    const parameters = casts.map((cast, index) => `$${index + 1}::text::${cast}`);
    const prepared = `${schema}.${name} ${casts.length}`;
    const statement = {
      text: `SELECT ${schema}.${name}(${parameters.join(", ")}) AS reply`,
      name: new TextEncoder().encode(prepared).length <= maxNameBytes ? prepared : undefined,
    };
    this.#known.set(name, statement);
    return statement;
  }
}
