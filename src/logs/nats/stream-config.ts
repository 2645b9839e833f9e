// The configuration of the two streams of a log, and the comparison with one that is there.
import type { RetentionLimits } from "../../log/retention.ts";
import type { StreamConfig, StreamInfo } from "./jetstream.ts";

/** Marks a stream as one of this package, and says how its messages are to be read. */
export const formatKey = "sourcecast";
/** A later format gets another number, and processes of this version reject it. */
const format = "1";
/** The limits with which the processes of this log remove entries. */
export const limitsKey = "sourcecast-limits";

/**
 * The least time in which the server recognizes a message that is sent again: an append is tried again for ten seconds, and
 * what a client has buffered may arrive later.
 */
const leastWindowMs = 60_000;

/** The options that decide about the streams. */
export interface StreamOptions {
  /** The name of the stream of entries. */
  readonly stream: string;
  /** Used when a stream is created. An operator may change it afterwards. */
  readonly replicas: number;
  /** Must be the same in all processes. */
  readonly limits: RetentionLimits;
}

/** The stream of the entries. */
export function entriesConfig({ stream, replicas, limits }: StreamOptions, prefix: string): StreamConfig {
  return {
    name: stream,
    description: "The log of a sourcecast hub",
    subjects: [`${prefix}.>`],
    num_replicas: replicas,
    ...entriesGuarantees,
    duplicate_window: duplicateWindow(limits),
    metadata: { [formatKey]: format, [limitsKey]: describeLimits(limits) },
  };
}

/** The stream of values whose entries were removed: one message for each key. */
export function valuesConfig({ stream, replicas }: StreamOptions, prefix: string): StreamConfig {
  return {
    name: valuesStream(stream),
    description: `The values of the log ${stream} that outlive their entries`,
    subjects: [`${prefix}.>`],
    num_replicas: replicas,
    ...valuesGuarantees,
    metadata: { [formatKey]: format },
  };
}

/** The name of the second stream. */
export function valuesStream(stream: string): string {
  return `${stream}-values`;
}

/**
 * Nothing but the log itself removes entries, and only the oldest: offsets have no hole. With `discard: "new"`, a stream that
 * reaches a limit which an operator set rejects entries, in place of removing some before their time.
 */
const entriesGuarantees = {
  retention: "limits",
  storage: "file",
  discard: "new",
  max_msgs: -1,
  max_msgs_per_subject: -1,
  max_age: 0,
  /** Pages are read from any server that has the stream, not from its leader alone. */
  allow_direct: true,
  /** For calls with several entries, and for the calls of a tick together. */
  allow_atomic: true,
  /** No program can delete a message from the middle, which would be a hole. */
  deny_delete: true,
  /** Retention purges, from the beginning up to a sequence. */
  deny_purge: false,
  allow_rollup_hdrs: false,
  sealed: false,
} as const;

/**
 * One message for each subject: the server replaces an older value on its own, and the log removes those of a lost
 * history.
 */
const valuesGuarantees = {
  retention: "limits",
  storage: "file",
  discard: "old",
  max_msgs: -1,
  max_msgs_per_subject: 1,
  max_age: 0,
  allow_direct: true,
  deny_purge: false,
  sealed: false,
} as const;

/** Fields that would make the stream something else, and that the server leaves out where they are not set. */
const forbidden = ["mirror", "sources", "subject_transform", "no_ack", "allow_msg_ttl", "allow_msg_counter"] as const;

/**
 * How a stream differs from what the log needs, in words; `undefined` where it does not. An operator may change whatever is
 * not named here: replicas, placement, compression, `max_bytes`.
 */
export function differenceOf(config: StreamConfig, isValues: boolean): string | undefined {
  if (config.metadata?.[formatKey] === undefined) return "it was not created by this log";
  if (config.metadata[formatKey] !== format) {
    return `its format is ${JSON.stringify(config.metadata[formatKey])}, and this version reads ${JSON.stringify(format)}`;
  }
  if (config.subjects?.length !== 1) return `it has the subjects ${JSON.stringify(config.subjects)}`;
  const guarantees: Readonly<Record<string, unknown>> = isValues ? valuesGuarantees : entriesGuarantees;
  for (const name of Object.keys(guarantees)) {
    // The kind of storage is chosen by whoever creates the stream.
    if (name === "storage") continue;
    const [found, needed] = [config[name] ?? defaultOf(guarantees[name]), guarantees[name]];
    if (found !== needed) return `its ${name} is ${JSON.stringify(found)}, and the log needs ${JSON.stringify(needed)}`;
  }
  for (const name of forbidden) {
    const found = config[name];
    if (found !== undefined && found !== null && found !== false) return `it has ${name}`;
  }
  return undefined;
}

/** The server leaves out fields that are false, and numbers that are zero. */
function defaultOf(value: unknown): unknown {
  return typeof value === "boolean" ? false : typeof value === "number" ? 0 : undefined;
}

/** The limits of another process that is using the log, where they are not ours. */
export function otherLimits({ config }: StreamInfo, wanted: StreamConfig): string | undefined {
  const found = config.metadata?.[limitsKey];
  return found === wanted.metadata?.[limitsKey] ? undefined : (found ?? "unknown");
}

/** As text, which an operator can read in the metadata of the stream. */
function describeLimits({ events, bytes, age, window }: RetentionLimits): string {
  return `maxEvents=${events} maxBytes=${bytes} maxAge=${age} idempotencyWindow=${window}`;
}

/** In nanoseconds. */
function duplicateWindow({ window }: RetentionLimits): number {
  return Math.max(leastWindowMs, window) * 1_000_000;
}
