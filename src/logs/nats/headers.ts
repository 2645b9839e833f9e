// Headers of messages: those that the log sends, and those that the API of JetStream returns as text.
import type { NatsHeadersLike } from "./connection.ts";

/** The line with which headers begin on the wire. */
const firstLine = "NATS/1.0\r\n";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Headers on the wire: each is a line, with its end. Each event has several, so they are text from the beginning, in place of
 * an object for each step on their way.
 */
export type HeaderLines = string;

/** One header. The value needs no escape: it is a number, or its owner has encoded it in visible ASCII. */
export function headerLine(name: string, value: string | number): HeaderLines {
  return `${name}: ${value}\r\n`;
}

/**
 * Headers as a client writes them: it calls `encode()`, which is all that it needs of them. The class of the client itself
 * would have to be imported, or passed by the application.
 */
export class SentHeaders {
  readonly #lines: HeaderLines;

  constructor(lines: HeaderLines) {
    this.#lines = lines;
  }

  encode(): Uint8Array {
    return encoder.encode(`${firstLine}${this.#lines}\r\n`);
  }
}

/** The headers of a message that JetStream returns within JSON, in base64. */
export function parseHeaders(base64: string | undefined): NatsHeadersLike {
  const values = new Map<string, string>();
  for (const line of decoder
    .decode(bytesOf(base64 ?? ""))
    .split("\r\n")
    .slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    // Of several values, the first one counts, as in the headers of the client.
    if (colon > 0 && !values.has(name)) values.set(name, line.slice(colon + 1).trim());
  }
  return { code: 0, description: "", get: (name) => values.get(name) ?? "" };
}

/** The bytes of a base64 text. */
export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
