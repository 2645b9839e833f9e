// Appending: one message or one batch for each call, all calls of a tick at once, in their order.
import { LogError } from "../../base/errors.ts";
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import { conflict } from "../../log/errors.ts";
import type { Appended } from "../../log/log.ts";
import { maxBatch, type Part, type Prepared, partsOf } from "./batching.ts";
import { Conditions, type ConditionsContext } from "./conditions.ts";
import type { NatsConnectionLike } from "./connection.ts";
import type { HeaderLines } from "./headers.ts";
import { type Acknowledgement, ApiError, errorCodes, expectLast } from "./jetstream.ts";
import { accept, channelsOf, createJob, type Job, pendingOf, place, positionsOf, renew, type Sending } from "./jobs.ts";
import { headersOf, type SentMessage, toStored } from "./message.ts";
import { NoRespondersError, UnavailableError } from "./requests.ts";
import type { Incarnation, Streams } from "./streams.ts";
import { isOvertaken } from "./values.ts";

/** Rounds in which a call is sent again, while others append to the same channels. */
const maxRounds = 8;

/** The parts of the log that a writer uses. */
export interface WriterContext extends ConditionsContext {
  readonly connection: NatsConnectionLike;
  readonly streams: Streams;
}

/**
 * The server recognizes a message that it has stored by its `Nats-Msg-Id`: an attempt after a lost answer stores nothing
 * twice.
 *
 * A call is one message, or one atomic batch. All calls of a tick are sent without waiting for one another: the server
 * handles the messages of a connection in their order, so the offsets follow the order of the calls.
 *
 * A failure of one message concerns its call alone, which is then tried again alone. If nothing is known about a message,
 * as after a lost connection, the queue sends the whole batch again.
 */
export class Writer {
  readonly #context: WriterContext;
  readonly #conditions: Conditions;
  /** Of attempts that failed: a call that is sent again must have the same identifiers and witnesses, it may be stored. */
  readonly #jobs = new WeakMap<AppendCall, Job>();
  /** Makes the id of each batch another one: the server would take a second batch of the same id for the first. */
  #batches = 0;

  constructor(context: WriterContext) {
    this.#context = context;
    this.#conditions = new Conditions(context);
  }

  async store(calls: readonly AppendCall[]): Promise<readonly AppendOutcome[]> {
    const incarnation = await this.#context.streams.current();
    const jobs = calls.map((call) => this.#jobOf(call, incarnation));
    try {
      return await this.#store(jobs);
    } catch (error) {
      // The queue repeats the whole batch then. Calls that were stored are recognized, and get their positions.
      for (const job of jobs) if (!(job instanceof Error)) this.#jobs.set(job.call, job);
      throw error;
    }
  }

  async #store(jobs: readonly (Job | Error)[]): Promise<readonly AppendOutcome[]> {
    // Conditions are checked first, so that all calls can be sent without waiting for one of them.
    const prepared = jobs.some(isConditional)
      ? await Promise.all(jobs.map((job) => this.#prepare(job)))
      : jobs.map((job) => (job instanceof Error ? job : { job, expected: noConditions }));
    const sent: Promise<readonly AppendOutcome[]>[] = [];
    for (const part of partsOf(prepared)) {
      sent.push(part instanceof Error ? Promise.resolve([part]) : this.#sendPart(part));
    }
    // All of them settle: what was sent last may have been stored, whatever has become of the first.
    const settled = await Promise.allSettled(sent);
    return settled.flatMap((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  #sendPart(part: Part): Promise<readonly AppendOutcome[]> {
    const [{ job, expected }] = part as [Prepared];
    if (part.length > 1) return this.#sendTogether(part.map(({ job }) => job));
    return this.#send(job, expected).then(alone, (error) => this.#recover(job, error).then(alone));
  }

  /** Several calls in one batch: a batch costs the server as much as some fifty messages. */
  async #sendTogether(jobs: readonly Job[]): Promise<readonly AppendOutcome[]> {
    const [first] = jobs as [Job];
    const pending = jobs.flatMap(pendingOf);
    // The attempt is part of it: a batch of an earlier attempt may still be open at the server.
    const id = `${first.call.id}.${first.call.attempt}.${++this.#batches}`;
    try {
      const { seq } = await this.#context.jetStream.publishBatch(id, pending);
      place(pending, seq, first.incarnation);
      return jobs.map(positionsOf);
    } catch (error) {
      // One of them cannot be stored, or was stored before: each finds out for itself.
      if (!(error instanceof ApiError)) throw error;
      return Promise.all(
        jobs.map((job) => (job.entries.length === 1 ? this.#sendAlone(job) : this.#recover(job, error))),
      );
    }
  }

  /** For calls without conditions. */
  async #sendAlone(job: Job): Promise<AppendOutcome> {
    try {
      return await this.#send(job, noConditions);
    } catch (error) {
      return this.#recover(job, error);
    }
  }

  /** An error is the outcome of the call, and nothing of it is sent. */
  async #prepare(job: Job | Error): Promise<Prepared | Error> {
    if (job instanceof Error) return job;
    const expected = await this.#conditions.check(job);
    return expected instanceof Error ? expected : { job, expected };
  }

  /** The identifiers of a call are the same in all its attempts. The witnesses of another incarnation mean nothing. */
  #jobOf(call: AppendCall, incarnation: Incarnation): Job | Error {
    // An attempt before this one may have stored entries of the call.
    const known = call.attempt === 1 ? undefined : this.#jobs.get(call);
    if (known?.incarnation.epoch === incarnation.epoch) return known;
    return createJob(call, incarnation, this.#context.connection.info?.max_payload);
  }

  /** Sent at once, and resolves with the outcome. */
  #send(job: Job, channels: ReadonlyMap<string, number>): Promise<readonly Appended[]> {
    const [first] = job.entries as [Sending];
    const isSingle = job.entries.length === 1 && channels.size === 0 && first.appended === undefined;
    return isSingle ? this.#sendSingle(job, first) : this.#sendInParts(job, channels);
  }

  /** Most calls are one entry without a condition: one message and its answer, with as little garbage as possible. */
  async #sendSingle(job: Job, sending: Sending): Promise<readonly Appended[]> {
    const { message } = sending;
    const stored = await this.#context.jetStream.publish(message.subject, message.payload, headersOf(message));
    if (stored.duplicate === true) await this.#acceptDuplicate(job, sending, stored);
    else place(job.entries, stored.seq, job.incarnation);
    return positionsOf(job);
  }

  /** In messages or batches that follow one another. */
  async #sendInParts(job: Job, channels: ReadonlyMap<string, number>): Promise<readonly Appended[]> {
    const { call, incarnation } = job;
    const { jetStream } = this.#context;
    // Channels whose condition has been sent with an earlier message of the call.
    const checked = new Set<string>();
    for (let pending = pendingOf(job); pending.length > 0; pending = pending.slice(maxBatch)) {
      const part = pending.slice(0, maxBatch);
      const batch = part.map(({ message, entry: { channel } }) => {
        const last = channels.get(channel);
        // The server compares what the channel had before the call: with its first entry.
        const isFirst = last !== undefined && !checked.has(channel);
        checked.add(channel);
        return { message, expected: isFirst ? expectLast(incarnation.subjects.allOf(channel), last) : undefined };
      });
      const [{ message, expected = "" }] = batch as [{ message: SentMessage; expected: HeaderLines | undefined }];
      const stored =
        batch.length === 1
          ? await jetStream.publish(message.subject, message.payload, headersOf(message) + expected)
          : await jetStream.publishBatch(`${call.id}.${call.attempt}.${++this.#batches}`, batch);
      if (stored.duplicate === true) await this.#acceptDuplicate(job, part[0] as Sending, stored);
      else place(part, stored.seq, incarnation);
    }
    return positionsOf(job);
  }

  /** The entry was stored before. Only the stream knows its witness. */
  async #acceptDuplicate(job: Job, sending: Sending, { seq }: Acknowledgement): Promise<void> {
    const { jetStream, stream, heads, window } = this.#context;
    const { incarnation } = job;
    // A key may be that of another publisher, whose entry has another witness.
    const isKeyed = sending.entry.idempotencyKey !== undefined;
    if (!isKeyed) {
      // Its identifier is that of an earlier attempt of this call alone.
      place([sending], seq, incarnation);
      return;
    }
    const message = await jetStream.get(stream, { seq });
    if (message === undefined) {
      throw new LogError(
        "The entry was stored before and has been removed since, so its position is no longer known",
        "unknown",
      );
    }
    // The publisher gets the position of that entry, with the witness that the other publisher has given it.
    const stored = toStored(message, incarnation.subjects);
    if ((await heads.observe()).time - stored.time >= window) {
      // The server remembers for longer than the log does. All publishers continue with the same identifier.
      renew(sending, seq);
      const outcome = await this.#again(job);
      if (outcome instanceof Error) throw outcome;
      return;
    }
    accept(sending, stored, incarnation);
  }

  /** A call that failed alone is tried again, alone; a failure of the store is that of all. */
  async #recover(job: Job, error: unknown): Promise<AppendOutcome> {
    let failure = error;
    for (let round = 0; round < maxRounds; round++) {
      if (failure instanceof NoRespondersError) {
        // The stream was deleted, or another one is in its place.
        this.#context.streams.invalidate();
        throw failure;
      }
      if (!(failure instanceof ApiError)) throw failure;
      if (isTransient(failure)) {
        throw new UnavailableError(`NATS cannot store now: ${failure.message}`, false, { cause: failure });
      }
      // A duplicate within a batch rejects the whole batch, and the server does not say where it is stored.
      const isDuplicate = failure.errorCode === errorCodes.duplicateInBatch;
      if (!isDuplicate && !isOvertaken(failure)) return rejected(failure);
      try {
        if (isDuplicate) for (const channel of channelsOf(job)) await this.#conditions.findStored(job, channel);
        return await this.#again(job);
      } catch (next) {
        failure = next;
      }
    }
    // It cannot be decided whether the condition holds.
    // A publisher with a condition can read the channel and decide again. Others learn that the outcome is unknown.
    const undecided = job.entries.find(({ entry }) => entry.after !== undefined);
    if (undecided !== undefined) return conflict(undecided.entry);
    return new LogError(`The entries could not be stored: ${String((failure as Error).message)}`, "unknown");
  }

  /** The condition is checked once more: the newest entry of the channel may be another one now. */
  async #again(job: Job): Promise<AppendOutcome> {
    const expected = await this.#conditions.check(job);
    // The entries that were found are no longer pending, so the rest is sent without them.
    if (!(expected instanceof Error)) return this.#send(job, expected);
    // A part of a long call is stored, and the rest of it will not be.
    const isPartial = job.entries.some(({ appended }) => appended !== undefined && appended.duplicate !== true);
    return isPartial ? new LogError(`A part of the entries was stored: ${expected.message}`, "unknown") : expected;
  }
}

/** For calls that may be stored whatever their channels have. */
const noConditions: ReadonlyMap<string, number> = new Map();

function isConditional(job: Job | Error): boolean {
  return !(job instanceof Error) && job.entries.some(({ entry }) => entry.after !== undefined);
}

/** The outcomes of a part that has one call. */
function alone(outcome: AppendOutcome): readonly AppendOutcome[] {
  return [outcome];
}

/** The same may be stored in a moment: too many batches at a time, no leader, the same message just being stored. */
function isTransient({ errorCode, message }: ApiError): boolean {
  return transientCodes.has(errorCode) || /in ?flight/i.test(message);
}

/** Another attempt of the queue, a moment later, may succeed. */
const transientCodes: ReadonlySet<number> = new Set([
  errorCodes.duplicateInFlight,
  errorCodes.temporarilyUnavailable,
  errorCodes.notLeader,
  errorCodes.clusterUnavailable,
]);

/** The server does not store it, and says why: a full disk, a limit of the account or of the stream. */
function rejected(error: ApiError): LogError {
  return new LogError(`NATS did not store the entries: ${error.message} (${error.errorCode})`, false, { cause: error });
}
