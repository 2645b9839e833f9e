// The English that this project does not write, and what it writes instead. Each rule is a pattern over the prose of the
// repository (prose.mjs); its exceptions are part of the pattern, never a file. test/docs/fixtures/english/samples.json
// has, for each rule, sentences that it must find and sentences that it must leave alone.
import { passagesOf, proseFiles } from "./prose.mjs";

/** @typedef {import("./prose.mjs").Passage} Passage */
/** @typedef {{ name: string, find: RegExp, why: string, write: string, kinds?: Passage["kind"][] }} Rule */
/** @typedef {{ rule: Rule, file: string, line: number, excerpt: string }} Finding */

/** @type {readonly Rule[]} */
export const rules = [
  {
    name: "behind",
    // Fine: behind a proxy, falls behind, behind the head, leaves nothing behind.
    find: /(?<!\bfar )(?<!\b(?:fall|falls|fell|fallen|falling|lag|lags|lagged|lagging|left|leave|leaves|leaving)(?: [\w…]+){0,3} )\bbehind\b(?! (?:the head\b|(?:\w+ ){0,3}(?:prox(?:y|ies)|middleware|load balancer|nginx|HAProxy|Caddy|CDN)\b))/gi,
    why: "The entries that have not reached offset 10, the older ones, are `behind` it",
    write: "after or past the offset; `behind` only for lag",
  },
  {
    name: "is-no",
    find: /(?<!\b(?:there|it) )(?<!\bthere (?:can|could|may|must|will|would) )\b(?:is|are|was|were|be|been) no(?! (?:longer|newer than|older than|more than|less than|fewer than|different|better|worse|later than|earlier than|need)\b)(?!ne\b) \w/gi,
    why: "A negated noun as predicate is archaic",
    write: "is not a valid X, is an invalid X",
  },
  {
    name: "is-none",
    find: /(?<!\bthere )\b(?:is|are|was|were) none\b/gi,
    why: "The reader has to find out what there is none of",
    write: "is not one; does not have one",
  },
  {
    name: "those-who",
    find: /\bthose who\b/gi,
    why: "The subject is a client or a subscription, not a person",
    write: "clients that, subscriptions that",
  },
  {
    name: "nobody",
    find: /\b(?:nobody|somebody|everybody|anybody)\b/gi,
    why: "The subject is a client, a reader or a listener, not a person",
    write: "no client, no listener, each subscriber",
  },
  {
    name: "who",
    find: /\b(?:for|of|by|to|from|with|at|than|tells|what) who\b(?! (?:is|are) you\b)|(?:^|[.:;,] )Who(?:ever)?\b(?![^.]*\?)/g,
    why: "The clause has no noun, and the code has no persons",
    write: "the client that, a subscription that",
  },
  {
    name: "headless-what",
    find: /(?:(?:^|[.:;] )What|^what) (?!if\b)[^?]*?(?:[.;:](?: |$)|$)/g,
    why: 'The reader must guess which object "what" is, and who acts',
    write: "name the object, then say what it does",
    kinds: ["comment", "text", "string"],
  },
  {
    name: "hears",
    find: /\b(?:hears?|heard|unheard|hearing)\b/gi,
    why: "Clients receive events; listeners are called",
    write: "receives, is called, is notified",
  },
  { name: "newcomer", find: /\bnewcomers?\b/gi, why: "Clients are not persons", write: "a new client" },
  {
    name: "for-ever",
    find: /\bfor ever\b|\bever after\b|\bas ever\b|\bever since\b/gi,
    why: "Period flavor",
    write: "forever, always, from then on",
  },
  {
    name: "meanwhile",
    find: /\bmeanwhile\b/gi,
    why: "It hides while what",
    write: "while authorize() is pending, in the meantime",
  },
  {
    name: "by-itself",
    find: /\bby (?:itself|themselves)\b/gi,
    why: "Not the field's word",
    write: "automatically, on its own",
  },
  {
    name: "come-again",
    find: /\b(?:come|comes|coming|came) again\b/gi,
    why: "Users search for the field's word",
    write: "retry, reconnect",
  },
  {
    name: "turned-away",
    find: /\bturn(?:s|ed|ing)? (?:\w+ )?away\b/gi,
    why: "Users search for the field's word",
    write: "rejected",
  },
  {
    name: "holds-back",
    find: /\b(?:hold|holds|held|holding) (?:\w+ )?back\b/gi,
    why: "Users search for the field's word",
    write: "buffers, delays",
  },
  {
    name: "wiring",
    find: /\b(?:mis)?wir(?:ing|ed)\b/gi,
    why: "Private vocabulary",
    write: "misconfiguration, setup",
  },
  {
    name: "unless-told-otherwise",
    find: /\bunless (?:\w+ )?(?:is |are )?told\b/gi,
    why: "Not the field's word",
    write: "by default",
  },
  {
    name: "generated-text",
    find: /\bgenerated text\b/gi,
    why: "Users search for the field's word",
    write: "streaming LLM output",
  },
  {
    name: "silence",
    // Fine: to silence a warning.
    find: /\bsilence\b(?! (?:the|a|an|this|that|its|their|these) (?:\w+ )?(?:warning|error|log|message)s?\b)/gi,
    why: "Users search for the field's word",
    write: "idle time, idle timeout",
  },
  {
    name: "is-said",
    find: /\b(?:is|are|was|were|be) said\b|\bsaid once\b|\bsays once\b/gi,
    why: "Impersonal: no noun acts, and code does not speak",
    write: "warns once, logs, reports",
  },
  {
    name: "is-looked",
    find: /\b(?:is|are|was|were|be) (?:\w+ )?(?:looked|looked after)\b(?! up\b)|\bit is (?:looked|kept account|asked whether)\b/gi,
    why: "Impersonal: no noun acts",
    write: "X checks, X tracks",
  },
  {
    name: "asked-again",
    find: /\b(?:is|are|was|were|be|been) asked (?:for )?(?:again|anew|whether|what|how|no more)\b/gi,
    why: "Impersonal: no noun acts",
    write: "authorize() runs again; X checks whether",
  },
  { name: "anew", find: /\banew\b/gi, why: "Period flavor", write: "again, from the start" },
  { name: "in-vain", find: /\bin vain\b/gi, why: "Period flavor", write: "timed out waiting for" },
  {
    name: "no-more",
    find: /\bno more\b(?! (?:than|of|\w+s\b|data\b|work\b|room\b))/gi,
    why: 'Means "no longer" only in old texts',
    write: "no longer",
  },
  {
    name: "a-text",
    find: /\ba text\b(?!-| (?:file|field|node|frame))/gi,
    why: "A value of type string is a string",
    write: "a string; text",
  },
  {
    name: "otherwise-than",
    find: /\botherwise than\b|\bsees? to it\b|\bin the place of\b|\bshout(?:s|ed)?\b|\binsist(?:s|ed)? with\b|\bother than that\b/gi,
    why: "Not the field's words",
    write: "differs from; ensures; instead of; warns; force",
  },
  {
    name: "mend",
    find: /\bmend(?:s|ed|ing)?\b/gi,
    why: "Not the field's word",
    write: "fix, repair",
  },
  {
    name: "beside",
    find: /\bbeside\b/gi,
    why: "Stands for three other words",
    write: "next to, compared with, in addition to (besides)",
  },
  {
    name: "measures",
    find: /\b(?:the|of|as|its|their|and|our|these|all|with|for|no) measures\b|^#+ Measures\b/gi,
    why: "Users search for the field's word",
    write: "metrics, measurements, benchmarks",
  },
  {
    name: "at-a-time",
    // Fine: one at a time, several events at a time, page at a time.
    find: /(?<!(?:\b(?:one|two|an?|many|several|few|N|\d+)|…)(?: [\w-]+){0,2} |\b(?:page|piece|slice|step) )\bat a time\b/gi,
    why: "Without a number before it, a reader expects one",
    write: "at the same time, at once; N at a time",
  },
  {
    name: "seldom",
    find: /\bseldom\b/gi,
    why: "Period flavor",
    write: "rarely, less often",
  },
  {
    name: "takes-for",
    find: /\btak(?:e|es|en|ing) (?:(?!(?:care|to)\b)[\w…'-]+ ){0,4}for (?:dead|a dead|one|another|an event|a message|a lost|theirs|a continuation)\b/gi,
    why: "A translation of other languages' idiom",
    write: "treats as, mistakes for, considers",
  },
  {
    name: "tells-from",
    // Fine: tells them apart from, tells a client from where to continue.
    find: /\b(?:tell|tells|told) (?:it|one|none|(?:such )?an? \w+(?: \w+)?) from (?!where\b|which\b|there\b|then\b)/gi,
    why: "Not the field's word",
    write: "distinguishes from",
  },
  {
    name: "goes-on-with",
    find: /\b(?:go|goes|going|went) on with\b/gi,
    why: "Not the field's word",
    write: "continues with",
  },
  {
    name: "there-already",
    find: /\bthere already\b/gi,
    why: "No subject says what exists, and where",
    write: "that exists, that you already run, already attached",
  },
  {
    name: "no-need",
    find: /\bthere (?:is|was) no need\b/gi,
    why: "Impersonal: no noun acts",
    write: "you need not; X does it",
  },
  {
    name: "documents",
    // Fine: an HTML document, the standard's `document`, "the code documents itself".
    find: /(?<!\bHTML )\bdocuments\b(?= (?:that|are|is|were|say|of|in|and|run)\b|[.,:;]|$)/gi,
    why: "Users search for the field's word",
    write: "docs, pages",
  },
  {
    name: "goes-on",
    // Fine: goes on the wire, goes on the server.
    find: /\b(?:go|goes|going|went) on\b(?=[.,;:)]| (?:while|until|after|without|for|here|at|when|where)\b|$)/gi,
    why: "Not the field's word",
    write: "continues; is under way",
  },
  {
    name: "lets-go",
    find: /\b(?:is|are|was|were|be) let go\b|\blet(?:s|ting)? go of\b/gi,
    why: "Not the field's word",
    write: "releases",
  },
  {
    name: "tells-of",
    find: /\btell(?:s|ing)? of\b/gi,
    why: "Period flavor",
    write: "records, announces, reports",
  },
  {
    name: "waited-for",
    find: /\b(?:is|are|was|were|be|been) waited for\b/gi,
    why: "Impersonal: no noun acts",
    write: "X waits for; awaits",
  },
  {
    name: "comes-twice",
    find: /\b(?:comes?|came|coming) (?:twice|to it)\b/gi,
    why: "Not the field's words",
    write: "is delivered twice; reaches it",
  },
  {
    name: "all-the-same",
    // Fine: they are all the same.
    find: /(?<!\b(?:is|are|was|were) )\ball the same\b/gi,
    why: "Period flavor",
    write: "nevertheless, still",
  },
  {
    name: "so-many",
    // Fine: for so long that, and a comparison with as.
    find: /\b(?:for|after|by|from|until|up to) so (?:long|many|much)\b(?! (?:\w+ )?(?:that|as)\b)/gi,
    why: "A translation: nothing says how many",
    write: "for this long, after this many",
  },
  {
    name: "passes-for",
    find: /\bpass(?:es|ed)? for (?!the\b)/gi,
    why: "Not the field's words",
    write: "is mistaken for, looks like",
  },
];

/** @param {string} root @returns {Finding[]} every place where a rule is broken */
export function englishFindings(root) {
  return proseFiles(root).flatMap((file) => passagesOf(root, file).flatMap(findingsIn));
}

/** @param {Passage} passage @returns {Finding[]} */
export function findingsIn(passage) {
  const text = passage.lines.map((line) => line.text).join(" ");
  return rules.flatMap((rule) =>
    rule.kinds && !rule.kinds.includes(passage.kind)
      ? []
      : [...text.matchAll(rule.find)].map(({ index, 0: { length } }) => ({
          rule,
          file: passage.file,
          line: lineOf(passage, index + (text[index] === " " || /^[.:;,] /.test(text.slice(index)) ? 2 : 0)),
          excerpt: `${index > 30 ? "… " : ""}${text.slice(Math.max(0, index - 30), index + Math.min(length, 60) + 30)}`,
        })),
  );
}

/**
 * @param {string} root
 * @returns {string[]} one message for each broken rule: its reason, its replacement and the places
 */
export function englishViolations(root) {
  const findings = englishFindings(root);
  return rules.flatMap((rule) => {
    const places = findings
      .filter((finding) => finding.rule === rule)
      .map(({ file, line, excerpt }) => `  ${file}:${line}  ${excerpt}`);
    if (places.length === 0) return [];
    return [`English: "${rule.name}". ${rule.why}. Write: ${rule.write}\n${places.join("\n")}`];
  });
}

/** @param {Passage} passage @param {number} index into the joined text */
function lineOf(passage, index) {
  let end = 0;
  for (const { line, text } of passage.lines) {
    end += text.length + 1;
    if (index < end) return line;
  }
  return passage.lines.at(-1)?.line ?? 0;
}
