// The text of pieces: bytes are decoded, and no character is torn apart.
import { bytesOf } from "../wire/binary.ts";

/** A piece of which nothing can be sent yet. */
export const withheld: unique symbol = Symbol("withheld");

/** Maps the pieces of one producer, in order. */
export interface TextOf {
  (piece: unknown): unknown;
  /** The withheld rest, after the last piece. */
  rest(): string;
}

/** Bytes become text across the borders of pieces, and half a surrogate pair waits for its other half. */
export function textOf(): TextOf {
  let decoder: TextDecoder | undefined;
  let hasBegun = false;
  let half = "";
  const toText = (piece: unknown): unknown => {
    const bytes = bytesOf(piece);
    if (bytes !== null) {
      // A byte order mark is removed at the beginning of the text only. By default, Deno's decoder also removes one at the
      // beginning of a later piece.
      decoder ??= new TextDecoder("utf-8", { ignoreBOM: true });
      const decoded = decoder.decode(bytes, { stream: true });
      const text = hasBegun ? decoded : decoded.replace(/^\uFEFF/, "");
      hasBegun ||= decoded !== "";
      return text === "" && bytes.length > 0 ? withheld : text;
    }
    if (typeof piece !== "string") return piece;
    let text = half + piece;
    half = "";
    const last = text.charCodeAt(text.length - 1);
    if (last >= 0xd800 && last <= 0xdbff) {
      half = text.slice(-1);
      text = text.slice(0, -1);
      if (text === "") return withheld;
    }
    return text;
  };
  return Object.assign(toText, { rest: () => (half === "" ? (decoder?.decode() ?? "") : half.toWellFormed()) });
}
