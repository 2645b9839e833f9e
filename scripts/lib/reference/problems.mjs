// Gaps in the reference: names without a sentence, options without a default or a unit, types that a signature
// mentions although no subpath exports them.
import { isOptions } from "./render.mjs";

/** @typedef {import("./model.mjs").Subpath} Subpath */
/** @typedef {import("./model.mjs").Item} Item */
/** @typedef {import("./model.mjs").Member} Member */

const unit =
  /\b(ms|milliseconds?|seconds?|bytes?|entries|entry|events?|connections?|channels?|prefixes|clients?|characters?|keys|members|times|days|servers)\b/i;

/** @param {Subpath[]} api @returns {string[]} one line for each */
export function problemsOf(api) {
  const exported = new Set(api.flatMap(({ items }) => items.map(({ symbol }) => symbol)));
  const seen = new Set();
  return api.flatMap(({ specifier, subject, items }) => [
    ...(subject === "" ? [`${specifier}: its file in src does not begin with a comment that states its subject`] : []),
    ...items
      .filter(({ symbol }) => !seen.has(symbol) && seen.add(symbol))
      .flatMap((item) => problemsOfItem(item, exported).map((problem) => `${specifier}: ${problem}`)),
  ]);
}

/** @param {Item} item @param {Set<unknown>} exported @returns {string[]} */
function problemsOfItem(item, exported) {
  const names = [...item.signatures, ...item.heritage].flatMap(({ refs }) => hidden(refs, exported));
  return [
    ...(isSentence(item.doc.text) ? [] : [`${item.name} has no sentence`]),
    ...names.map((name) => `${item.name} mentions the type ${name}, which no subpath exports`),
    ...item.members.flatMap((member) => problemsOfMember(item, member, exported)),
  ];
}

/** @param {Item} item @param {Member} member @param {Set<unknown>} exported */
function problemsOfMember(item, member, exported) {
  const name = `${item.name}.${member.name}`;
  const problems = [];
  // The library or runtime that a structural type stands for documents its members.
  const isForeign = item.name.endsWith("Like");
  if (!isForeign && !isSentence(member.doc.text) && !(member.kind === "constructor" && member.doc.params.length > 0)) {
    problems.push(`${name} has no sentence`);
  }
  for (const type of [member.type, ...member.signatures].flatMap(({ refs }) => hidden(refs, exported))) {
    problems.push(`${name} mentions the type ${type}, which no subpath exports`);
  }
  if (isOptions(item) && member.kind === "property") {
    if (member.optional && !member.doc.default) problems.push(`${name} has no @default`);
    if (!member.optional && member.doc.default) problems.push(`${name} is required and has a @default`);
    if (/\bnumber\b/.test(member.type.text) && !unit.test(`${member.doc.text} ${member.doc.default}`)) {
      problems.push(`${name} is a number, and its docstring does not say of what`);
    }
  }
  return problems;
}

/** Types of this package that cannot be imported. @param {import("typescript-5").Symbol[]} refs @param {Set<unknown>} exported */
function hidden(refs, exported) {
  return refs
    .filter((ref) => {
      const [declaration] = ref.declarations ?? [];
      const file = declaration?.getSourceFile().fileName ?? "";
      const isOurs = file.includes("/dist/") && !file.includes("node_modules");
      const isInternal = ref.getJsDocTags().some((tag) => tag.name === "internal");
      return isOurs && !isInternal && !exported.has(ref) && !("constraint" in (declaration ?? {}));
    })
    .map(({ name }) => name);
}

/** @param {string} text */
function isSentence(text) {
  return /[.:!?)`]$|```$/.test(text.trim()) && /\w/.test(text);
}
