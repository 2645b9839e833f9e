/** Streams and the events in them, by the HTML standard: https://html.spec.whatwg.org/multipage/server-sent-events.html */

/** Type, data and last event id of an event, as a client dispatches it. */
export type Expected = readonly [type: string, data: string, lastEventId: string];

export interface ParsingVector {
  readonly name: string;
  /** Bytes, or text that is sent as UTF-8. */
  readonly stream: string | Uint8Array;
  readonly events: readonly Expected[];
}

const message = (data: string, lastEventId = ""): Expected => ["message", data, lastEventId];
const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : part)));

/** U+FEFF, as bytes. */
const bom = [0xef, 0xbb, 0xbf];
const long = "x".repeat(70_000);

/** [name, stream, events] */
const table: readonly (readonly [string, string | Uint8Array, readonly Expected[]])[] = [
  // --- line ends ---
  ["LF ends lines", "data: a\n\n", [message("a")]],
  ["CR ends lines", "data: a\r\r", [message("a")]],
  ["CRLF ends lines", "data: a\r\n\r\n", [message("a")]],
  ["CRLF and then LF", "data: a\r\n\n", [message("a")]],
  ["LF and then CRLF", "data: a\n\r\n", [message("a")]],
  ["CR and then CRLF", "data: a\r\r\ndata: b\r\r\n", [message("a"), message("b")]],
  ["LF and then CR are two line ends", "data: a\n\rdata: b\n\r", [message("a"), message("b")]],
  ["CR between fields", "event: t\rdata: a\r\r", [["t", "a", ""]]],
  ["all three line ends in one event", "event: t\rdata: a\ndata: b\r\n\n", [["t", "a\nb", ""]]],
  ["U+2028 and U+2029 end no line", "data: a\u2028b\u2029c\n\n", [message("a\u2028b\u2029c")]],
  ["U+0085, vertical tab and form feed end no line", "data: a\u0085b\vc\fd\n\n", [message("a\u0085b\vc\fd")]],
  ["blank lines alone", "\n\r\r\n\n", []],
  ["blank lines before an event", "\n\n\r\n\rdata: a\n\n", [message("a")]],
  ["blank lines between events", "data: a\n\n\n\ndata: b\n\n", [message("a"), message("b")]],
  // --- data ---
  ["data with a space", "data: a\n\n", [message("a")]],
  ["data without a space", "data:a\n\n", [message("a")]],
  ["only one space is removed", "data:  a \n\n", [message(" a ")]],
  ["a tab is not removed", "data:\ta\n\n", [message("\ta")]],
  ["empty data", "data:\n\n", [message("")]],
  ["data of one space", "data: \n\n", [message("")]],
  ["data without a colon", "data\n\n", [message("")]],
  ["two lines without a colon", "data\ndata\n\n", [message("\n")]],
  ["several lines", "data: a\ndata: b\ndata: c\n\n", [message("a\nb\nc")]],
  ["empty lines of data at both ends", "data:\ndata: a\ndata:\n\n", [message("\na\n")]],
  ["colons in data", "data: a: b:c\n\n", [message("a: b:c")]],
  ["data that begins with a colon", "data::a\n\n", [message(":a")]],
  ["data that looks like a field", "data: data: a\n\n", [message("data: a")]],
  ["NUL in data", "data: a\0b\n\n", [message("a\0b")]],
  ["a long line", `data: ${long}\n\n`, [message(long)]],
  ["two events in a row", "data: a\n\ndata: b\n\n", [message("a"), message("b")]],
  // --- what is not dispatched ---
  ["an empty stream", "", []],
  ["an unfinished line", "data: a", []],
  ["an unfinished event", "data: a\n", []],
  ["an unfinished event after a finished one", "data: a\n\ndata: b\n", [message("a")]],
  ["the stream that the standard leaves unfinished", "data\n\ndata\ndata\n\ndata:", [message(""), message("\n")]],
  ["an event without data", "event: t\n\ndata: a\n\n", [message("a")]],
  ["an id without data", "id: 1\n\ndata: a\n\n", [message("a", "1")]],
  // --- event ---
  ["a type", "event: t\ndata: a\n\n", [["t", "a", ""]]],
  ["a type after the data", "data: a\nevent: t\n\n", [["t", "a", ""]]],
  ["the last type counts", "event: t\nevent: u\ndata: a\n\n", [["u", "a", ""]]],
  ["an empty type is message", "event: t\nevent:\ndata: a\n\n", [message("a")]],
  ["a type without a colon is message", "event: t\nevent\ndata: a\n\n", [message("a")]],
  ["a type of a space is message", "event: \ndata: a\n\n", [message("a")]],
  ["a type is for one event", "event: t\ndata: a\n\ndata: b\n\n", [["t", "a", ""], message("b")]],
  ["a type keeps its spaces but the first", "event:  t u \ndata: a\n\n", [[" t u ", "a", ""]]],
  ["types are case-sensitive", "event: Message\ndata: a\n\n", [["Message", "a", ""]]],
  // --- id ---
  ["an id", "id: 1\ndata: a\n\n", [message("a", "1")]],
  ["an id carries over", "id: 1\ndata: a\n\ndata: b\n\n", [message("a", "1"), message("b", "1")]],
  ["an empty id resets", "id: 1\ndata: a\n\nid:\ndata: b\n\n", [message("a", "1"), message("b", "")]],
  ["an id without a colon resets", "id: 1\ndata: a\n\nid\ndata: b\n\n", [message("a", "1"), message("b", "")]],
  ["the last id counts", "id: 1\nid: 2\ndata: a\n\n", [message("a", "2")]],
  ["an id with a NUL is ignored", "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", [message("a", "1"), message("b", "1")]],
  ["zero is an id", "id: 0\ndata: a\n\n", [message("a", "0")]],
  ["an id of other scripts", "id: ümläut…\ndata: a\n\n", [message("a", "ümläut…")]],
  ["an id after the data", "data: a\nid: 1\n\n", [message("a", "1")]],
  // --- retry, comments, other fields ---
  ["retry is not an event", "retry: 1000\n\ndata: a\n\n", [message("a")]],
  ["retry within an event", "data: a\nretry: 1000\n\n", [message("a")]],
  ["retry with letters is ignored", "retry: 1s\ndata: a\n\n", [message("a")]],
  ["a comment", ": hello\n\ndata: a\n\n", [message("a")]],
  ["an empty comment", ":\ndata: a\n:\n\n", [message("a")]],
  ["a comment between lines of data", "data: a\n:x\ndata: b\n\n", [message("a\nb")]],
  ["a comment that looks like data", ":data: x\ndata: a\n\n", [message("a")]],
  ["a long comment", `:${long}\ndata: a\n\n`, [message("a")]],
  ["unknown fields", "foo: bar\nbaz\ndata: a\n\n", [message("a")]],
  ["names are case-sensitive", "Data: x\nDATA: x\ndata: a\n\n", [message("a")]],
  ["a name with a space before it", " data: x\ndata: a\n\n", [message("a")]],
  ["a name with a space after it", "data : x\ndata: a\n\n", [message("a")]],
  // --- bytes ---
  ["a BOM at the start", bytes(bom, "data: a\n\n"), [message("a")]],
  ["two BOMs at the start", bytes(bom, bom, "data: x\n\ndata: a\n\n"), [message("a")]],
  ["a BOM later", bytes("data: a\n\n", bom, "data: x\n\ndata: b\n\n"), [message("a"), message("b")]],
  ["a BOM in data", bytes("data: ", bom, "a\n\n"), [message("\ufeffa")]],
  ["characters of two, three and four bytes", "data: é€😀\nevent: é€😀\n\n", [["é€😀", "é€😀", ""]]],
  ["bytes that are not UTF-8", bytes("data: a", [0xff, 0xc3], "b\n\n"), [message("a\ufffd\ufffdb")]],
];

export const parsingVectors: readonly ParsingVector[] = table.map(([name, stream, events]) => ({
  name,
  stream,
  events,
}));

/** Ways to cut a stream into chunks: at every byte, in pieces of one size, at one place, at random with a seed. */
export const chunkings: readonly { readonly name: string; cut(stream: Uint8Array): Uint8Array[] }[] = [
  { name: "whole", cut: (stream) => [stream] },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 17, 31, 64].map((size) => ({
    name: `in pieces of ${size}`,
    cut: (stream: Uint8Array) => cutAt(stream, (at) => at + size),
  })),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((place) => ({
    name: `after ${place}`,
    cut: (stream: Uint8Array) => [stream.subarray(0, place), stream.subarray(place)],
  })),
  ...[1, 2, 3, 4, 5, 6].map((place) => ({
    name: `${place} before the end`,
    cut: (stream: Uint8Array) => {
      const at = Math.max(0, stream.length - place);
      return [stream.subarray(0, at), stream.subarray(at)];
    },
  })),
  {
    name: "with empty chunks",
    cut: (stream) => cutAt(stream, (at) => at + 3).flatMap((piece) => [new Uint8Array(), piece]),
  },
  ...Array.from({ length: 10 }, (_, seed) => ({
    name: `at random ${seed}`,
    cut: (stream: Uint8Array) => {
      const random = randomOf(seed + 1);
      return cutAt(stream, (at) => at + 1 + Math.floor(random() ** 3 * 40));
    },
  })),
];

/** Cuts long streams coarsely past their first bytes, since a piece for each of 70,000 bytes proves nothing more. */
function cutAt(stream: Uint8Array, next: (at: number) => number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < stream.length; ) {
    const isInside = at > 200 && at < stream.length - 200;
    const end = isInside ? Math.max(next(at), Math.min(at + 5_003, stream.length - 200)) : next(at);
    pieces.push(stream.subarray(at, end));
    at = end;
  }
  return pieces;
}

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
