// The index of a chat: which run is the current one. It is elected by an append that is conditional on everything before.
import { LogError } from "../base/errors.ts";
import type { HubInternals } from "../hub/internals.ts";
import { isClearEntry } from "../log/cleared.ts";
import type { Head, LogEntry, NewEntry, Position } from "../log/log.ts";
import { formatCursor, headPosition } from "../wire/cursor.ts";
import { entriesOf } from "./entries.ts";
import type { WrittenEvent } from "./gather.ts";
import { type ChatChannels, type ChatKind, channelsOfChat } from "./names.ts";
import type { FinishedRun } from "./producer.ts";
import { endMarker, isConflict, isUnstoredEnd } from "./run-writer.ts";

/** A run that was elected. */
export interface RunRecord {
  /** The id of the run. */
  readonly run: string;
  /** The id of the request that started it. */
  readonly request: string | null;
  /** How long the run may show no sign of life, in milliseconds. */
  readonly lease: number;
}

/** A request to stop. */
interface StopRecord {
  /** The run that was current; `null` if the chat had none yet. */
  readonly run: string | null;
  /** The request that is not to start a run. */
  readonly request: string | null;
}

/** A run, with its place in the log. */
export interface ElectedRun extends RunRecord {
  /** The name of its channel. */
  readonly channel: string;
  /** The cursor of its election: everything of the run comes after it. */
  readonly cursor: string;
}

/** The state of a chat at one position of the log. */
export interface ChatState {
  readonly head: Head;
  /** The newest run; `null` if the chat had none. */
  readonly run: ElectedRun | null;
  /** Whether that run is over. */
  readonly isOver: boolean;
  /** Whether the log still has text of that run that `onFinish` could not store. */
  readonly isUnstored: boolean;
  /** Whether that run is over without its whole text, or unstored: a repeated request starts another one. */
  readonly hasFailed: boolean;
  /** The newest request to stop. */
  readonly stop: StopRecord | null;
}

/** The result of an election. */
export type Election = WonElection | { readonly won: false; readonly run: ElectedRun };

/** The run is the caller's to produce, unless it was stopped before it started. */
export interface WonElection {
  readonly won: true;
  readonly run: ElectedRun;
  readonly isStopped: boolean;
  /** The run whose place it takes. */
  readonly replaced: ElectedRun | null;
  /** Its first sign of life; `undefined` where that is not known. */
  readonly sign: Position | undefined;
}

/** The signs of life of a run. */
export interface Signs {
  /** The channel of the run has ended, or was cleared. */
  readonly isOver: boolean;
  /** The run is over, and `onFinish` has failed. */
  readonly isUnstored: boolean;
  /** Offset of the newest one, 0 for none. */
  readonly offset: number;
  /** The outcome of the run, once a process calls `onFinish` with it; `null` while its producer is at work. */
  readonly outcome: FinishedRun["outcome"] | null;
}

/** The most conflicts in a row. Each means that another run was elected, or that a run was stopped. */
const maxConflicts = 100;

/** Most attempts whose outcome is unknown. The log has waited for each of them already. */
const maxUnknown = 2;

/** The index of one chat. */
export class Chat {
  /** The names of its channels. */
  readonly channels: ChatChannels;
  readonly #hub: HubInternals;

  constructor(hub: HubInternals, channels: ChatChannels) {
    this.#hub = hub;
    this.channels = channels;
  }

  /** The chat of an id. Nothing is read or written yet. */
  static async open(hub: HubInternals, kind: ChatKind, chatId: string): Promise<Chat> {
    return new Chat(hub, await channelsOfChat(kind, chatId));
  }

  /** Reads the state of the chat from the log. */
  async read(): Promise<ChatState> {
    const { log } = this.#hub;
    const head = await log.head();
    const records = await this.#newest(head);
    const started = records.get("run");
    const stopped = records.get("stop");
    const run = started === undefined ? null : this.#elected(started, head.epoch);
    const signs = run === null ? noSigns : await this.signs(run);
    // A run that is under way has shown a sign of life since. Nothing is left of a run without any.
    const isOver = signs.isOver || (signs.offset === 0 && (started?.offset ?? 0) <= head.floor.offset);
    return {
      head,
      run,
      isOver,
      isUnstored: signs.isUnstored,
      hasFailed: signs.isUnstored || (isOver && (signs.outcome === "failed" || signs.outcome === "lost")),
      stop: stopped === undefined ? null : (JSON.parse(stopped.data) as StopRecord),
    };
  }

  /**
   * Elects a run, unless one is under way. Atomic across processes.
   *
   * @param replace Takes the place of a run that is under way.
   */
  async elect(record: RunRecord, replace: boolean): Promise<Election> {
    let attempt: Pick<WonElection, "isStopped" | "replaced"> | null = null;
    for (let attempts = 0; ; attempts++) {
      const { head, run, isOver, hasFailed, stop } = await this.read();
      // The outcome of the last attempt was unknown: it was stored.
      if (attempt !== null && run?.run === record.run) return { won: true, run, sign: undefined, ...attempt };
      const isSameRequest = run !== null && record.request !== null && run.request === record.request;
      if (run !== null && ((isSameRequest && !hasFailed) || !(isOver || replace))) return { won: false, run };
      attempt = { isStopped: stop !== null && stopsNext(stop, record, run), replaced: isOver ? null : run };
      try {
        const entry = { ...this.#record("run", record), idempotencyKey: record.run, after: headPosition(head) };
        // With a sign of life from the start, a run can be found on channels of its own.
        const beat = { ...this.#beat(record.run, null), idempotencyKey: "0" };
        const [position, sign] = await this.#hub.log.append([entry, beat]);
        if (position === undefined) throw new TypeError("The log returned no position");
        const elected = { ...record, channel: this.channels.run(record.run), cursor: formatCursor(position) };
        return { won: true, run: elected, sign, ...attempt };
      } catch (error) {
        const isUnknown = error instanceof LogError && error.stored === "unknown";
        if (!(isConflict(error) || isUnknown) || attempts >= (isUnknown ? maxUnknown : maxConflicts)) throw error;
      }
    }
  }

  /**
   * Records that the current run is to stop.
   *
   * @param request The request whose run is meant; `null` for whichever runs.
   * @returns The run that is to stop; `null` if none is under way.
   */
  async stop(request: string | null): Promise<ElectedRun | null> {
    for (let conflicts = 0; ; conflicts++) {
      const { head, run, isOver } = await this.read();
      const isMeant = run !== null && (request === null || run.request === request);
      // The run that was current is named even if it is over, so that this does not stop the next one.
      const record = this.#record("stop", { run: isMeant ? run.run : null, request });
      try {
        // A run that was elected since then is the one that is meant.
        await this.#hub.log.append([{ ...record, after: headPosition(head) }]);
        return isMeant && !isOver ? run : null;
      } catch (error) {
        if (!isConflict(error) || conflicts >= maxConflicts) throw error;
      }
    }
  }

  /** The run that was the newest at an offset; `null` if the log no longer has its election. */
  async runAt(offset: number): Promise<ElectedRun | null> {
    let run: ElectedRun | null = null;
    const selection = { channels: [this.channels.index], prefixes: [] };
    for await (const { epoch, entry } of entriesOf(this.#hub.log, selection, 0)) {
      if (entry.offset > offset) break;
      if (entry.type === "run") run = this.#elected(entry, epoch);
    }
    return run;
  }

  /** Whether the chat has another run, or was deleted. */
  async isSuperseded(run: string): Promise<boolean> {
    return (await this.read()).run?.run !== run;
  }

  /**
   * Shows that a run without news is alive.
   *
   * @param after The newest sign of life is there.
   * @throws {SourcecastError} `ERR_SSE_CONFLICT` if it is not.
   */
  async beat(run: string, outcome: Signs["outcome"], after?: Position): Promise<Position | undefined> {
    const [position] = await this.#hub.log.append([{ ...this.#beat(run, outcome), after }]);
    return position;
  }

  /**
   * Claims the completion of a run: the call of `onFinish`, and then the end. One process holds the claim, until it
   * shows no sign of life for a lease.
   *
   * @param after A position at which the caller has seen that it may complete the run.
   * @param events Events that fence off its producer.
   * @returns The position of the claim.
   * @throws {SourcecastError} `ERR_SSE_CONFLICT` if the run has shown a sign of life since.
   */
  async claim(
    run: ElectedRun,
    outcome: FinishedRun["outcome"],
    after: Position,
    events: readonly WrittenEvent[] = [],
  ): Promise<Position> {
    const fence = events.map((event) => ({ channel: run.channel, ...event, after }));
    const positions = await this.#hub.log.append([...fence, { ...this.#beat(run.run, outcome), after }]);
    return positions.at(-1) as Position;
  }

  /** The signs of life of a run. */
  async signs(run: Pick<ElectedRun, "run" | "channel">): Promise<Signs> {
    const { log } = this.#hub;
    // Two questions: of both channels together, the newer entry may hide the end.
    const [own, beat] = await Promise.all(
      [run.channel, this.channels.lease(run.run)].map((name) => log.last(1, { channels: [name], prefixes: [] })),
    );
    const [last] = own ?? [];
    const [sign] = beat ?? [];
    return {
      // A run that was cleared was deleted with its chat.
      isOver: last !== undefined && (last.type === "sse:end" || isClearEntry(last)),
      isUnstored: last !== undefined && isUnstoredEnd(last),
      offset: Math.max(last?.offset ?? 0, sign?.offset ?? 0),
      outcome: sign?.type === "beat" && sign.data !== "" ? (sign.data as FinishedRun["outcome"]) : null,
    };
  }

  /** Ends a run, whatever its state: its producer is fenced off by that. */
  async end(run: Pick<ElectedRun, "channel">, events: readonly WrittenEvent[]): Promise<void> {
    await this.#hub.log.append([
      ...events.map((event) => ({ channel: run.channel, ...event })),
      endMarker(run.channel),
    ]);
  }

  #beat(run: string, outcome: Signs["outcome"]): NewEntry {
    return { channel: this.channels.lease(run), type: "beat", data: outcome ?? "" };
  }

  #record(key: "run" | "stop", record: RunRecord | StopRecord): NewEntry {
    return { channel: this.channels.index, type: key, key, data: JSON.stringify(record) };
  }

  #elected(entry: LogEntry, epoch: string): ElectedRun {
    const record = JSON.parse(entry.data) as RunRecord;
    const cursor = formatCursor({ epoch, offset: entry.offset, witness: entry.witness });
    return { ...record, channel: this.channels.run(record.run), cursor };
  }

  /** The newest record of each kind, which the log keeps whatever its retention removes. */
  async #newest({ top }: Head): Promise<Map<string, LogEntry>> {
    const newest = new Map<string, LogEntry>();
    const selection = { channels: [this.channels.index], prefixes: [] };
    for (let after = 0; after < top; ) {
      const page = await this.#hub.log.latestByKey(selection, { after, upTo: top, maxBytes: 65_536 });
      for (const entry of page.entries) newest.set(entry.type, entry);
      after = page.through;
    }
    return newest;
  }
}

const noSigns: Signs = { isOver: true, isUnstored: false, offset: 0, outcome: null };

/** Whether a request to stop is for a run that had not started then. */
function stopsNext(stop: StopRecord, next: RunRecord, previous: RunRecord | null): boolean {
  if (stop.run !== null) return false;
  return stop.request === null ? previous === null : stop.request === next.request;
}
