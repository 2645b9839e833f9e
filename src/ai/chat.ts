// The index of a chat: which run is the current one. It is elected by an append that is conditional on everything before.
import { LogError } from "../base/errors.ts";
import type { HubInternals } from "../hub/internals.ts";
import { isClearEntry } from "../log/cleared.ts";
import type { Head, LogEntry, NewEntry } from "../log/log.ts";
import { formatCursor, headPosition } from "../wire/cursor.ts";
import { entriesOf } from "./entries.ts";
import { type ChatChannels, type ChatKind, channelsOfChat } from "./names.ts";
import { endMarker, isConflict } from "./run-writer.ts";

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
  /** The newest request to stop. */
  readonly stop: StopRecord | null;
}

/** The result of an election. */
export type Election =
  /** The run is this caller's to produce, unless it was stopped before it started. */
  | { readonly won: true; readonly run: ElectedRun; readonly isStopped: boolean; readonly replaced: ElectedRun | null }
  | { readonly won: false; readonly run: ElectedRun };

/** Signs of life in one lease. */
export const beatsPerLease = 3;

/** Most conflicts in a row. Each means that another run was elected, or that one was stopped. */
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
    return {
      head,
      run,
      isOver: run === null || (await this.#isOver(run, started as LogEntry, head)),
      stop: stopped === undefined ? null : (JSON.parse(stopped.data) as StopRecord),
    };
  }

  /**
   * Elects a run, unless one is under way. Atomic across processes.
   *
   * @param replace Takes the place of a run that is under way.
   */
  async elect(record: RunRecord, replace: boolean): Promise<Election> {
    let attempt: Pick<Election & { won: true }, "isStopped" | "replaced"> | null = null;
    for (let attempts = 0; ; attempts++) {
      const { head, run, isOver, stop } = await this.read();
      // The outcome of the last attempt was unknown: it was stored.
      if (attempt !== null && run?.run === record.run) return { won: true, run, ...attempt };
      const isSameRequest = run !== null && record.request !== null && run.request === record.request;
      if (run !== null && (isSameRequest || !(isOver || replace))) return { won: false, run };
      attempt = { isStopped: stop !== null && stopsNext(stop, record, run), replaced: isOver ? null : run };
      try {
        const entry = { ...this.#record("run", record), idempotencyKey: record.run, after: headPosition(head) };
        const [position] = await this.#hub.log.append([entry]);
        if (position === undefined) throw new TypeError("The log returned no position");
        const elected = { ...record, channel: this.channels.run(record.run), cursor: formatCursor(position) };
        return { won: true, run: elected, ...attempt };
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

  /** Tells the producer of the current run that the chat is being deleted. */
  async discard(): Promise<void> {
    await this.#hub.log.append([{ channel: this.channels.index, type: "delete", data: "" }]);
  }

  /** Whether the chat has another run, or is being deleted. */
  async isSuperseded(run: string): Promise<boolean> {
    if ((await this.read()).run?.run !== run) return true;
    const [newest] = await this.#hub.log.last(1, { channels: [this.channels.index], prefixes: [] });
    return newest?.type === "delete";
  }

  /** Shows that a run without news is alive. */
  async beat(run: string): Promise<void> {
    await this.#hub.log.append([{ channel: this.channels.lease(run), type: "beat", data: "" }]);
  }

  /** Offset of the newest sign of life of a run, 0 for none; `null` when the run is over. */
  async lastSign(run: ElectedRun): Promise<number | null> {
    const { log } = this.#hub;
    // Two questions: of both channels together, the newer entry may hide the end.
    const own = await log.last(1, { channels: [run.channel], prefixes: [] });
    const beat = await log.last(1, { channels: [this.channels.lease(run.run)], prefixes: [] });
    const [last] = own;
    // A run that was cleared was deleted with its chat.
    if (last !== undefined && (last.type === "sse:end" || isClearEntry(last))) return null;
    return Math.max(own[0]?.offset ?? 0, beat[0]?.offset ?? 0);
  }

  /** Ends a run, whatever its state: its producer is fenced off by that. */
  async end(run: ElectedRun, events: readonly { type: string; data: string }[]): Promise<void> {
    await this.#hub.log.append([
      ...events.map((event) => ({ channel: run.channel, ...event })),
      endMarker(run.channel),
    ]);
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

  async #isOver(run: ElectedRun, started: LogEntry, head: Head): Promise<boolean> {
    const sign = await this.lastSign(run);
    if (sign === null) return true;
    // A run that is under way has shown a sign of life since. Nothing is left of this one.
    return sign === 0 && started.offset <= head.floor.offset;
  }
}

/** Whether a request to stop is for a run that had not started then. */
function stopsNext(stop: StopRecord, next: RunRecord, previous: RunRecord | null): boolean {
  return stop.request === null ? stop.run === null && previous === null : stop.request === next.request;
}
