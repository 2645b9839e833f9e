// Answers what reconnecting clients need to know, for many of them in one transaction: only lookups, no scans.
import { verify } from "../../log/complete.ts";
import type { ChannelSelection, LocateAnswer, Located, LocateQuestion, LogEntry } from "../../log/log.ts";
import { rangeOf, TrimmedChannels } from "./channels.ts";
import type { SqlConnection, Statement } from "./connection.ts";
import type { Reader } from "./reader.ts";
import { EntryRows } from "./rows.ts";
import { headOf, type LogState, StateReader } from "./state.ts";

/**
 * The capability `locate`, for the moment after a restart when all clients reconnect at once: 10,000 questions take
 * about 50 ms of CPU time. All answers of one call are of one state, and so is the head that comes with them.
 */
export class Locating {
  readonly #connection: SqlConnection;
  readonly #reader: Reader;
  readonly #state: StateReader;
  readonly #rows: EntryRows;
  readonly #trimmed: TrimmedChannels;
  readonly #channel: Statement<ChannelRow>;
  readonly #hasValuesBelow: Statement<{ found: number }>;

  constructor(connection: SqlConnection, reader: Reader) {
    this.#connection = connection;
    this.#reader = reader;
    this.#state = new StateReader(connection);
    this.#rows = new EntryRows(connection);
    this.#trimmed = new TrimmedChannels(connection);
    // The newest entry of a channel is never superseded.
    this.#channel = connection.prepare(
      `SELECT
         (SELECT iif(type = 'sse:end', offset, 0) FROM sse_entry
          WHERE channel = name AND superseded = 0 ORDER BY offset DESC LIMIT 1) AS end,
         (SELECT offset FROM sse_trimmed WHERE channel = name) AS trimmed,
         EXISTS (SELECT 1 FROM sse_entry WHERE channel = name AND key IS NOT NULL AND superseded = 0) AS has_values
       FROM (SELECT ? AS name)`,
    );
    this.#hasValuesBelow = connection.prepare(
      "SELECT 1 AS found FROM sse_entry WHERE channel >= ? AND channel < ? AND key IS NOT NULL AND superseded = 0 LIMIT 1",
    );
  }

  locate(questions: readonly LocateQuestion[]): Located {
    return this.#connection.read(() => {
      const state = this.#state.read();
      const head = headOf(state);
      // In a storm, clients share channels and positions.
      const witnessAt = remembering((offset: number) => this.#reader.witnessAt(offset, state));
      const channelOf = remembering((name: string) => this.#channelOf(name, state));
      const prefixOf = remembering((prefix: string) => this.#prefixOf(prefix, state));
      const answers = questions.map(
        ({ cursor, selection }): LocateAnswer => ({
          verification: verify(cursor, head, witnessAt),
          ...combine(selection, channelOf, prefixOf),
        }),
      );
      return { head, answers };
    });
  }

  /**
   * The row of the end marker is read only where there is one, which is rare. Offset 0, which no entry has, stands
   * for a newest entry of another type; `null` for a channel without entries.
   */
  #channelOf(name: string, state: LogState): Found {
    const row = this.#channel.get(name);
    const [end] = Number(row?.end ?? 0) === 0 ? [] : this.#rows.at([Number(row?.end)]);
    const trimmed = state.trimmed === 0 ? 0 : Number(row?.trimmed ?? state.forgotten);
    return { end, trimmed, hasValues: Number(row?.has_values) === 1 };
  }

  /** Ends are only for channels that are named in full, so this finds none, as the contract has it. */
  #prefixOf(prefix: string, state: LogState): Found {
    const trimmed = this.#trimmed.of({ channels: [], prefixes: [prefix] }, state);
    return { end: undefined, trimmed, hasValues: this.#hasValuesBelow.get(...rangeOf(prefix)) != null };
  }
}

/** A channel, or all channels with a prefix, as far as a client needs to know. */
interface Found {
  readonly end: LogEntry | undefined;
  readonly trimmed: number;
  readonly hasValues: boolean;
}

interface ChannelRow {
  end: number | null;
  trimmed: number | null;
  has_values: number;
}

function combine(
  { channels, prefixes }: ChannelSelection,
  channelOf: (name: string) => Found,
  prefixOf: (prefix: string) => Found,
): Omit<LocateAnswer, "verification"> {
  const ends: LogEntry[] = [];
  let trimmed = 0;
  let hasValues = false;
  const add = (found: Found) => {
    if (found.end !== undefined) ends.push(found.end);
    trimmed = Math.max(trimmed, found.trimmed);
    hasValues ||= found.hasValues;
  };
  // A name that was given twice must not get its end marker twice.
  for (const name of new Set(channels)) add(channelOf(name));
  for (const prefix of prefixes) add(prefixOf(prefix));
  return { ends: ends.sort((a, b) => a.offset - b.offset), trimmed, hasValues };
}

/** Asks once for each question. */
function remembering<Question, Answer>(ask: (question: Question) => Answer): (question: Question) => Answer {
  const answers = new Map<Question, Answer>();
  return (question) => {
    const known = answers.get(question);
    if (known !== undefined || answers.has(question)) return known as Answer;
    const answer = ask(question);
    answers.set(question, answer);
    return answer;
  };
}
