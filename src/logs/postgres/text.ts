// Text that PostgreSQL cannot hold: the character U+0000, and halves of surrogate pairs.

/** Stands before a letter: `a` for itself, `b` for U+0000. No ordinary text has it. */
const escapeMark = "\u0001";

/** Text as it is stored. Lone surrogates become U+FFFD, as they do in UTF-8. */
export function encodeText(text: string): string {
  if (isPlain(text)) return text;
  return text.toWellFormed().replaceAll(escapeMark, `${escapeMark}a`).replaceAll("\0", `${escapeMark}b`);
}

/** Between the texts of a list. No stored text has it, since only `a` and `b` follow the mark. */
export const separator: string = `${escapeMark}s`;
/** Stands in a list for an entry that has no such text. */
export const noText: string = `${escapeMark}n`;

/** Several texts as one, each as it is stored. `null` when there is none. */
export function joinTexts(texts: readonly (string | undefined)[]): string | null {
  if (texts.every((text) => text === undefined)) return null;
  // Nothing is to be encoded in almost all lists, and one look is enough for all of their texts.
  if (!isPlain(texts.join("")))
    return texts.map((text) => (text === undefined ? noText : encodeText(text))).join(separator);
  return (texts.includes(undefined) ? texts.map((text) => text ?? noText) : texts).join(separator);
}

/** Text as it was published. */
export function decodeText(text: string): string {
  return text.includes(escapeMark)
    ? text.replaceAll(`${escapeMark}b`, "\0").replaceAll(`${escapeMark}a`, escapeMark)
    : text;
}

/** It is stored as it is. */
function isPlain(text: string): boolean {
  return !text.includes("\0") && !text.includes(escapeMark) && text.isWellFormed();
}
