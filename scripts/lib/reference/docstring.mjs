// A docstring taken apart: its text, and its tags with theirs. A tag may stand at the end of a line, as in
// `/** Most connections. @default no limit *\/`.

/** @typedef {{ name: string, text: string }} Param */
/**
 * @typedef {object} Docstring
 * @property {string} text what it does, as Markdown
 * @property {string | undefined} default the value of an option that is left out
 * @property {Param[]} params
 * @property {string | undefined} returns
 * @property {string[]} throws
 * @property {string[]} examples Markdown with code blocks
 * @property {string[]} see
 * @property {boolean} isInternal for the package itself, although the language makes it public
 */

const tag = /(?:^|(?<=\s))@(default|param|returns|throws|example|see|internal)\b[ \t]*/g;

/** @param {string} comment with its delimiters, or "" @returns {Docstring} */
export function parseDocstring(comment) {
  const body = comment
    .replace(/^\/\*\*/, "")
    .replace(/\*\/$/, "")
    .replace(/^[ \t]*\*(?: |$)/gm, "")
    .trim();
  /** @type {Docstring} */
  const doc = {
    text: "",
    default: undefined,
    params: [],
    returns: undefined,
    throws: [],
    examples: [],
    see: [],
    isInternal: false,
  };
  const marks = [...body.matchAll(tag)].filter(({ index }) => !isInCode(body, index));
  doc.text = body.slice(0, marks[0]?.index ?? body.length).trim();
  for (const [position, mark] of marks.entries()) {
    const text = body.slice(mark.index + mark[0].length, marks[position + 1]?.index ?? body.length).trim();
    if (mark[1] === "default") doc.default = oneLine(text);
    else if (mark[1] === "returns") doc.returns = text;
    else if (mark[1] === "throws") doc.throws.push(text);
    else if (mark[1] === "example") doc.examples.push(text);
    else if (mark[1] === "see") doc.see.push(text);
    else if (mark[1] === "internal") doc.isInternal = true;
    else if (mark[1] === "param") {
      const [, name = "", rest = ""] = /^(\S+)\s+(?:- )?([\s\S]*)$/.exec(text) ?? [];
      doc.params.push({ name, text: rest });
    }
  }
  return doc;
}

/** @param {string} text */
export function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}

/** @param {string} body @param {number} index whether a tag there is part of a code block or of `inline code` */
function isInCode(body, index) {
  const before = body.slice(0, index);
  if ((before.match(/^```/gm)?.length ?? 0) % 2 === 1) return true;
  const line = before.slice(before.lastIndexOf("\n") + 1);
  return (line.match(/`/g)?.length ?? 0) % 2 === 1;
}
