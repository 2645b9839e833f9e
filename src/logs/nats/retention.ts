// Removing what exceeds the limits, in the background, from the beginning of the stream.
import { now, WakeTimer } from "../../base/clock.ts";
import type { LogEntry } from "../../log/log.ts";
import type { RetentionLimits } from "../../log/retention.ts";
import type { HeadReader, Observation } from "./head-reader.ts";
import type { JetStream } from "./jetstream.ts";
import { storedSize, toEntry, toStored } from "./message.ts";
import type { PageCache } from "./pages.ts";
import type { ValueStore } from "./values.ts";

/** From an append to the look at the limits, in milliseconds; other processes look at other moments. */
const delayMs = 200;
const jitterMs = 100;
/** How long entries wait for a tail of this process that lags, in milliseconds. */
const patienceMs = 5_000;
/** Bounds of one request: the server has no more than 1,024 messages in an answer. */
const requestEntries = 1_000;
const requestBytes = 1024 ** 2;

/** The parts of the log that retention uses. */
export interface RetentionContext {
  readonly jetStream: JetStream;
  readonly stream: string;
  readonly heads: HeadReader;
  readonly pages: PageCache;
  readonly values: ValueStore;
  readonly limits: RetentionLimits;
  /** The offset up to which the tails of this process have come. */
  delivered(): number;
  onError(error: unknown): void;
}

/**
 * The stream itself has no limits: the server would remove values with the entries, and the last entry with its age. Any
 * process may remove; each removes the same.
 *
 * A run takes these steps, each of which may be interrupted and repeated by another process:
 *
 * 1. It reads the head, and computes from it up to where entries exceed a limit.
 *
 * 2. It removes values of a history that the log has lost, as long as the entries that prove it are there.
 *
 * 3. It writes the newest entry of each key that is about to go as a value.
 *
 * 4. It purges the stream up to the cut. Readers that were in the middle find entries missing, and begin again with
 * another head.
 */
export class RetentionWorker {
  readonly #context: RetentionContext;
  /**
   * Wakes up for a look soon after an append, and for the next entry that expires. It does not keep the process alive.
   */
  readonly #wake: WakeTimer = new WakeTimer(() => void this.#run());
  /** A run is under way in this process. Others may run at the same time. */
  #isRunning = false;
  /** Another look follows soon after the run, although nothing is appended. */
  #mustLookAgain = false;
  /** When entries began to wait for a tail, in the time of `now()`; 0 while none does. */
  #waitingSince = 0;
  #closed = false;

  constructor(context: RetentionContext) {
    this.#context = context;
  }

  /** Something was appended. */
  touch(): void {
    if (this.#isRunning) this.#mustLookAgain = true;
    else this.#wakeSoon();
  }

  #wakeSoon(): void {
    if (this.#closed || this.#isRunning) return;
    this.#wake.set(now() + delayMs + Math.random() * jitterMs);
  }

  /** Whenever the head is read, for whatever reason. */
  consider({ head, state, time }: Observation): void {
    const { events, bytes, age } = this.#context.limits;
    // The newest entry is kept whatever the limits say.
    const count = head.top - head.floor.offset;
    if (count <= 1) return;
    // Both times are those of the server, so its clock may differ from the one here.
    const dueIn = Date.parse(state.first_ts) + age - time;
    if (count > events || state.bytes > bytes || dueIn <= 0) this.#wakeSoon();
    else if (dueIn < Number.POSITIVE_INFINITY) this.#wake.set(now() + dueIn + 1);
  }

  /** An attempt under way ends before its next step. */
  close(): void {
    this.#closed = true;
    this.#wake.stop();
  }

  /** One run at a time in this process. Failures are reported, and the next append tries again. */
  async #run(): Promise<void> {
    if (this.#isRunning || this.#closed) return;
    this.#isRunning = true;
    try {
      while (!this.#closed && (await this.#trim()));
    } catch (error) {
      if (!this.#closed) this.#context.onError(error);
    } finally {
      this.#isRunning = false;
    }
    if (!this.#mustLookAgain) return;
    this.#mustLookAgain = false;
    this.#wakeSoon();
  }

  /** True when it has to begin again, with another state. */
  async #trim(): Promise<boolean> {
    const { jetStream, stream, values } = this.#context;
    const observation = await this.#context.heads.observe();
    const { incarnation, head } = observation;
    const { offset: floor } = head.floor;
    // All processes compute the same from one state: the limits are the same, and none depends on a clock of its own.
    const cut = this.#behindTails(Math.min(await this.#cutOf(observation), head.top - 1), floor);
    // The first message of a log stands for itself until the second one takes its part.
    if (cut <= Math.max(floor, 1)) return false;
    // The newest entry of each key has to outlive its place in the sequence. It is written as a value before it is
    // removed.
    const keyed = await this.#keyedEntries(cut, observation);
    // Another process was faster, so that some of these entries may be missing: their values are not lost ones.
    if ((await this.#context.heads.observe()).head.floor.offset !== floor) return true;
    const witnesses = new Map(keyed.map(({ offset, witness }) => [offset, witness]));
    await values.removeLost({ after: floor, upTo: cut }, witnesses, incarnation);
    // In this order: values of a lost history could otherwise hide those that are written now.
    await values.keep(keyed, cut, incarnation);
    if (this.#closed) return false;
    // Removes everything before the sequence. The message at it stays, and stands for the floor. A repetition removes
    // nothing else.
    await jetStream.ask(`STREAM.PURGE.${stream}`, { seq: cut });
    // Whatever was appended since is removed with the next run. Under load, a run that ended only when nothing exceeded a
    // limit would never end, and each of its rounds costs as much as eight events.
    this.#mustLookAgain = true;
    return false;
  }

  /** Entries that a tail of this process has not delivered wait for it, for some time: a burst reaches it whole. */
  #behindTails(cut: number, floor: number): number {
    const delivered = this.#context.delivered();
    if (cut <= delivered) {
      this.#waitingSince = 0;
      return cut;
    }
    const time = now();
    if (this.#waitingSince === 0) this.#waitingSince = time;
    if (time - this.#waitingSince > patienceMs) return cut;
    this.#mustLookAgain = true;
    return Math.max(floor, delivered);
  }

  /** Everything up to here exceeds a limit. */
  async #cutOf(observation: Observation): Promise<number> {
    const { head, state, time } = observation;
    const { events, bytes, age } = this.#context.limits;
    let cut = head.top - events;
    // Usually nothing has expired: the time of the first message says so without a question.
    if (age !== Number.POSITIVE_INFINITY && Date.parse(state.first_ts) + age <= time) {
      cut = Math.max(cut, await this.#expired(observation, time - age));
    }
    if (state.bytes > bytes) cut = Math.max(cut, await this.#excess(observation, state.bytes - bytes));
    return cut;
  }

  /** The newest entry that is older than a time. */
  async #expired({ head, incarnation }: Observation, time: number): Promise<number> {
    const { jetStream, stream } = this.#context;
    const start_time = new Date(time).toISOString();
    const [first] = await jetStream.direct(stream, { start_time, next_by_subj: incarnation.subjects.all, batch: 1 });
    // Every entry is older, so all but the newest go.
    return first === undefined ? head.top - 1 : first.sequence - 1;
  }

  /** The entry with which so many bytes are removed. */
  async #excess({ head }: Observation, bytes: number): Promise<number> {
    const { jetStream, stream } = this.#context;
    // From the oldest message on. The server knows the size of the stream, but not that of its parts.
    let rest = bytes;
    for (let seq = Math.max(1, head.floor.offset); seq < head.top; ) {
      const page = await jetStream.direct(stream, { seq, batch: requestEntries, max_bytes: requestBytes });
      for (const raw of page) {
        rest -= storedSize(raw);
        // The message after the last one that goes stands for its position.
        if (rest <= 0) return raw.sequence + 1;
      }
      const last = page.at(-1);
      if (last === undefined) break;
      seq = last.sequence + 1;
    }
    return head.top - 1;
  }

  /** The entries with a key up to an offset. */
  async #keyedEntries(cut: number, observation: Observation): Promise<LogEntry[]> {
    const { jetStream, stream, pages } = this.#context;
    const { incarnation, head } = observation;
    const { subjects } = incarnation;
    const found: LogEntry[] = [];
    for (let seq = head.floor.offset + 1; seq <= cut; ) {
      const question = { seq, next_by_subj: subjects.keyed, batch: requestEntries, max_bytes: requestBytes };
      const page = await jetStream.direct(stream, question);
      for (const raw of page) {
        if (raw.sequence > cut) return found;
        const previousWitness = await pages.witnessAt(raw.sequence - 1, observation);
        // Another process has removed it since, and kept it.
        if (previousWitness !== undefined) found.push(toEntry(toStored(raw, subjects), previousWitness));
      }
      const last = page.at(-1);
      if (last === undefined) return found;
      seq = last.sequence + 1;
    }
    return found;
  }
}
