// Headers of messages: those that the log sends, and those that the API of JetStream returns as text.
import type { NatsHeadersLike } from "./connection.ts";

/** The line with which headers begin on the wire. */
const firstLine = "NATS/1.0\r\n";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Values of headers are visible ASCII here: whatever an application chooses is encoded before. */
export type HeaderValues = Readonly<Record<string, string | number | undefined>>;

/**
 * Headers as a client writes them: it calls `encode()`, which is all that it needs of them. The class of the client itself
 * would have to be imported, or passed by the application.
 */
export class SentHeaders {
  readonly #text: string;

  /** @param values Those that are undefined are left out. */
  constructor(values: HeaderValues) {
    let text = firstLine;
    for (const name in values) {
      const value = values[name];
      // Values need no escape: they are numbers, or were encoded by their owners.
      if (value !== undefined) text += `${name}: ${value}\r\n`;
    }
    this.#text = `${text}\r\n`;
  }

  encode(): Uint8Array {
    return encoder.encode(this.#text);
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
