// Entries by columns, as the functions of the schema take them: as text, which all clients pass on unchanged.
import type { NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import type { Parameter } from "./connection.ts";
import { encodeText, joinTexts } from "./text.ts";

/** The types of a request and its columns, as `append` and `enqueue` have them. */
export const batchCasts: readonly string[] = ["json", ...repeat("text[]", 5), ...repeat("bigint[]", 2)];

/** The types of a member, the first and the last call, the runs and the columns, as `append_plain` has them. */
export const plainCasts: readonly string[] = [
  "text",
  "bigint",
  "bigint",
  ...repeat("text", 5),
  ...repeat("bigint[]", 2),
];

/** The types of a member, a call, an entry and an epoch, as `append_one` has them. */
export const firstCasts: readonly string[] = ["text", "bigint", ...repeat("text", 4), ...repeat("bigint", 2), "text"];

/** The types of a member, a call, an entry and a position, as `append_again` has them. */
export const againCasts: readonly string[] = ["text", "bigint", ...repeat("text", 4), ...repeat("bigint", 4)];

function repeat(type: string, count: number): string[] {
  return Array.from({ length: count }, () => type);
}

/** Some entries, and a witness for each. */
export class Columns {
  readonly #entries: NewEntry[] = [];
  readonly #witnesses: number[] = [];

  /** The number of entries. */
  get size(): number {
    return this.#entries.length;
  }

  /** Appends an entry. */
  add(entry: NewEntry, witness: number): void {
    this.#entries.push(entry);
    this.#witnesses.push(witness);
  }

  /** The witness of the entry at a place, counted from 0. */
  witnessAt(index: number): number {
    return this.#witnesses[index] as number;
  }

  /** Of entries without keys, for `append_plain`: texts with separators, and running totals of the weights. */
  plain(): Parameter[] {
    let total = 0;
    const totals = this.#entries.map((entry) => {
      total += weightOf(entry);
      return total;
    });
    return [
      joinTexts(this.#entries.map(({ channel }) => channel)),
      joinTexts(this.#entries.map(({ type }) => type)),
      joinTexts(this.#entries.map(({ data }) => data)),
      joinTexts(this.#entries.map(({ sender }) => sender)),
      `{${this.#witnesses.join(",")}}`,
      `{${totals.join(",")}}`,
    ];
  }

  /** As arrays of PostgreSQL, for `append` and `enqueue`. */
  all(): string[] {
    const texts = (pick: (entry: NewEntry) => string | undefined) =>
      `{${this.#entries.map(pick).map(element).join(",")}}`;
    return [
      texts(({ channel }) => channel),
      texts(({ type }) => type),
      texts(({ data }) => data),
      texts(({ key }) => key),
      texts(({ sender }) => sender),
      `{${this.#witnesses.join(",")}}`,
      `{${this.#entries.map(weightOf).join(",")}}`,
    ];
  }
}

/** Quoted, so that no text is taken for NULL or for the end of an array. */
function element(text: string | undefined): string {
  return text === undefined ? "NULL" : `"${encodeText(text).replace(/["\\]/g, "\\$&")}"`;
}
