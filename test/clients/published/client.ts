/** A published client as the suite knows it: the events for it, how it reads, and its reaction to a lost connection. */
import type { IncomingMessage, ServerResponse } from "node:http";

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed by the test, without their types
export type Any = any;

/** One event of a protocol. Without a type it is an unnamed one, a `message`. */
export interface ProtocolEvent {
  readonly type?: string;
  readonly data: unknown;
}

/** Words as the events of a protocol. */
export interface Protocol {
  /** The events before the first word. */
  readonly before: readonly ProtocolEvent[];
  word(text: string): ProtocolEvent;
  /** The events after the last word. */
  readonly after: readonly ProtocolEvent[];
  /** The mark at the end of a stream, which a channel sends as `control.end`. */
  readonly end?: ProtocolEvent;
  /** False for clients that go by the types of events: they need no `control`. @default true */
  readonly control?: boolean;
  /** The headers that the protocol requires. */
  readonly headers?: Record<string, string>;
}

/**
 * The outcome for an application whose connection is lost in the middle of a stream: the client asks again and gets the
 * events after its position, or the stream from its start; or it rejects with this error.
 */
export type AtCut = "resumes" | "starts over" | { readonly error: string };

export interface PublishedClient {
  /** The package that the table names. */
  readonly package: string;
  /** The part of the package that reads. */
  readonly api: string;
  /** How it asks for a stream. */
  readonly method: "GET" | "POST";
  readonly protocol: Protocol;
  readonly atCut: AtCut;
  /** In addition to rejecting, it prints this, and leaves a rejection unhandled. */
  readonly noise?: { readonly prints: RegExp; readonly unhandled: RegExp };
  /** Reads a stream to its end. Rejects with the error that an application would get. */
  read(reading: Reading): Promise<void>;
  /** Answers a request that is not for a stream, and returns true. */
  answer?(req: IncomingMessage, res: ServerResponse): boolean;
}

export interface Reading {
  readonly url: string;
  /** Imports a module of the installed packages. */
  load(specifier: string): Promise<Any>;
  /** Is called with each word that the application receives. */
  onWord(text: string): void;
  /** The application asks once more, after an error. */
  readonly again: boolean;
}
