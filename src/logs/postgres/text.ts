// Text that PostgreSQL cannot hold: the character U+0000, and halves of surrogate pairs.

/** Stands before a letter: `a` for itself, `b` for U+0000. No ordinary text has it. */
const escapeMark = "\u0001";

/** Text as it is stored. Lone surrogates become U+FFFD, as they do in UTF-8. */
export function encodeText(text: string): string {
  const formed = text.isWellFormed() ? text : text.toWellFormed();
  if (!formed.includes("\0") && !formed.includes(escapeMark)) return formed;
  return formed.replaceAll(escapeMark, `${escapeMark}a`).replaceAll("\0", `${escapeMark}b`);
}

/** Text as it was published. */
export function decodeText(text: string): string {
  return text.includes(escapeMark)
    ? text.replaceAll(`${escapeMark}b`, "\0").replaceAll(`${escapeMark}a`, escapeMark)
    : text;
}
