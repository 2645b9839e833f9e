// Channels and keys as tokens of a subject, and back.
import type { NewEntry } from "../../log/log.ts";

/**
 * The subjects of a log: `<prefix>.<channel>.e` for an entry, `.x` for an end marker, `.k.<key>` for one with a key. With
 * them, the server finds the newest entry of a channel, of a key, and the channels that have ended.
 *
 * The prefix ends with a random name, another one for each stream: an entry that a publisher sends to a stream that was just
 * deleted does not reach the next stream of the same name.
 */
export class Subjects {
  /** Subjects of channels, and back: names repeat, and their tokens take a while to encode. */
  readonly #tokens = new Map<string, string>();
  readonly #parsed = new Map<string, ParsedSubject>();
  /** Begins with `sourcecast.` and the name of the stream, so that permissions can name the subjects of a log. */
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** Everything. */
  get all(): string {
    return `${this.prefix}.>`;
  }

  /** Entries with a key. */
  get keyed(): string {
    return `${this.prefix}.*.k.*`;
  }

  /** The subject of an entry. An end marker has no key, so the two never conflict. */
  of({ channel, key, type }: Pick<NewEntry, "channel" | "key" | "type">): string {
    if (key !== undefined) return `${this.#channel(channel)}.k.${encodeToken(key)}`;
    return type === "sse:end" ? this.end(channel) : `${this.#channel(channel)}.e`;
  }

  /** Everything of a channel. */
  allOf(channel: string): string {
    return `${this.#channel(channel)}.>`;
  }

  /** Entries of a channel with a key. */
  keyedOf(channel: string): string {
    return `${this.#channel(channel)}.k.*`;
  }

  /** End markers of a channel. */
  end(channel: string): string {
    return `${this.#channel(channel)}.x`;
  }

  /** The channel and the key of a subject, `undefined` for one that is not of this log. */
  parse(subject: string): ParsedSubject | undefined {
    const known = this.#parsed.get(subject);
    if (known !== undefined) return known;
    const parsed = this.#parse(subject);
    // Keys are many, and each may occur once.
    if (parsed !== undefined && parsed.key === undefined) remember(this.#parsed, subject, parsed);
    return parsed;
  }

  #parse(subject: string): ParsedSubject | undefined {
    if (!subject.startsWith(`${this.prefix}.`)) return undefined;
    const [channel, kind, key] = subject.slice(this.prefix.length + 1).split(".");
    // Something else was published below the prefix.
    if (channel === undefined || kind === undefined) return undefined;
    return { channel: decodeToken(channel), key: kind === "k" && key !== undefined ? decodeToken(key) : undefined };
  }

  /**
   * A channel is one token, whatever characters its name has: a subject has no place for a hierarchy of unknown depth.
   */
  #channel(channel: string): string {
    const known = this.#tokens.get(channel);
    if (known !== undefined) return known;
    const token = `${this.prefix}.${encodeToken(channel)}`;
    remember(this.#tokens, channel, token);
    return token;
  }
}

/** The channel and the key of a subject. */
export interface ParsedSubject {
  readonly channel: string;
  readonly key: string | undefined;
}

/** Most names that are remembered: those of busy channels come back at once. */
const maxRemembered = 1_000;

function remember<Value>(known: Map<string, Value>, name: string, value: Value): void {
  if (known.size >= maxRemembered) known.clear();
  known.set(name, value);
}

/** Stands for an empty text, which cannot be a token: a percent sign alone is the encoding of nothing else. */
const emptyToken = "%";

/** Letters, digits, `-` and `_` stay readable; a dot separates tokens, and `*` and `>` are wildcards. */
export function encodeToken(text: string): string {
  if (text === "") return emptyToken;
  // Names are well-formed by now, so this does not throw.
  return encodeURIComponent(text).replace(/[.*!'()~]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
}

/** The text of a token; the token itself when something else has written it. */
export function decodeToken(token: string): string {
  if (token === emptyToken) return "";
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}
