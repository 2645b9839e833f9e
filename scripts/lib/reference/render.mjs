// The API as Markdown: a page for each subpath, and an index. GitHub's rules make the anchors.
import { oneLine } from "./docstring.mjs";

/** @typedef {import("./docstring.mjs").Docstring} Docstring */
/** @typedef {import("./model.mjs").Subpath} Subpath */
/** @typedef {import("./model.mjs").Item} Item */
/** @typedef {import("./model.mjs").Member} Member */
/** @typedef {import("./model.mjs").TypeText} TypeText */

const sections = /** @type {const} */ ([
  ["Functions", (/** @type {Item} */ { kind }) => kind === "function"],
  ["Classes", (/** @type {Item} */ { kind }) => kind === "class"],
  ["Constants", (/** @type {Item} */ { kind }) => kind === "constant"],
  ["Options", isOptions],
  ["Types", (/** @type {Item} */ item) => /interface|type/.test(item.kind) && !isOptions(item)],
]);

/** Whether each property is something that a caller may set. @param {Item} item */
export function isOptions({ name, kind }) {
  return /interface|type/.test(kind) && /(Options|Init|Limits|Retention)$/.test(name);
}

/** @param {Subpath[]} api @returns {Map<string, string>} the text of each page by its name, such as "node.md" */
export function renderReference(api) {
  const places = new Places(api);
  const pages = new Map([["README.md", renderIndex(api)]]);
  for (const subpath of api) pages.set(pageOf(subpath.subpath), new Page(subpath, places).render());
  return pages;
}

/** @param {string} subpath */
function pageOf(subpath) {
  return subpath === "." ? "sourcecast.md" : `${subpath.slice(2).replaceAll("/", "-")}.md`;
}

/** @param {Subpath[]} api */
function renderIndex(api) {
  const rows = api.map(({ subpath, specifier, subject, items }) => {
    const callable = items.filter(({ kind }) => kind === "function" || kind === "class");
    const names = callable.map(({ name }) => `\`${name}\``).toSorted((a, b) => a.localeCompare(b, "en"));
    return `| [\`${specifier}\`](${pageOf(subpath)}) | ${firstSentence(subject)} | ${names.join(", ")} |`;
  });
  return [
    generated,
    "# API reference\n",
    "One page for each subpath of the package. Every function, class, method and option is here with its type, default, unit",
    "and errors; the [guides](../README.md) explain how they work together.\n",
    "| import from | for | functions and classes |\n|---|---|---|",
    `${rows.join("\n")}\n`,
    'A `Duration` is a number of milliseconds or a string such as `"10s"`; a `Size` is a number of bytes or a string such as',
    '`"16mb"`. An error is a `SourcecastError` with a stable `code`: see [Errors](../errors.md).\n',
  ].join("\n");
}

const generated = "<!-- Generated from the docstrings in src by `npm run generate`: edit those. -->\n";

/** Where each name has its entry. */
class Places {
  /** @param {Subpath[]} api */
  constructor(api) {
    /** @type {Map<unknown, { page: string, item: Item }>} */
    this.bySymbol = new Map();
    /** @type {Map<string, Item>} */
    this.byName = new Map();
    /** Anchor of each item, and of each of its members with a heading. @type {Map<Item | Member, string>} */
    this.anchors = new Map();
    // An entry stands on the page of the file that declares it, else of that file's folder, else on the first page that
    // exports it.
    for (const isHome of [isIn, isBeside, () => true]) {
      for (const { subpath, items, file } of api) {
        for (const item of items) {
          const files = item.symbol.declarations?.map((node) => node.getSourceFile().fileName) ?? [];
          if (!files.some((declaring) => isHome(declaring, file)) || this.bySymbol.has(item.symbol)) continue;
          this.bySymbol.set(item.symbol, { page: pageOf(subpath), item });
        }
      }
    }
    for (const subpath of api) this.#setAnchors(this.sectionsOf(subpath).flatMap(({ items }) => items));
  }

  /** The entries of a page, in its order. @param {Subpath} subpath @returns {{ title: string, items: Item[] }[]} */
  sectionsOf({ subpath, items }) {
    const here = items.filter(
      (item) =>
        this.bySymbol.get(item.symbol)?.item === item && this.bySymbol.get(item.symbol)?.page === pageOf(subpath),
    );
    return sections.map(([title, belongs]) => ({
      title,
      items: here.filter(belongs).toSorted((a, b) => a.name.localeCompare(b.name, "en")),
    }));
  }

  /** GitHub counts headings that are the same. @param {Item[]} items of one page, in its order */
  #setAnchors(items) {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const item of items) {
      if (!this.byName.has(item.name)) this.byName.set(item.name, item);
      for (const [owner, heading] of headingsOf(item)) {
        const anchor = anchorOf(heading);
        const count = counts.get(anchor) ?? 0;
        counts.set(anchor, count + 1);
        this.anchors.set(owner, count === 0 ? anchor : `${anchor}-${count}`);
      }
    }
  }
}

/** @param {string} declaring @param {string} entry */
const isIn = (declaring, entry) => declaring === entry;

/** The core's own folder is that of all others. @param {string} declaring @param {string} entry */
function isBeside(declaring, entry) {
  return !entry.endsWith("/dist/index.d.ts") && declaring.startsWith(entry.slice(0, entry.lastIndexOf("/") + 1));
}

/** The headings of an entry, in their order. @param {Item} item @returns {[Item | Member, string][]} */
function headingsOf(item) {
  const examples = item.members.filter(({ kind, doc }) => kind === "property" && doc.examples.length > 0);
  const methods = item.members.filter(({ kind }) => kind !== "property");
  return [
    [item, item.name],
    ...[...examples, ...methods].map((member) => /** @type {[Member, string]} */ ([member, titleOf(item, member)])),
  ];
}

/** @param {Item} item @param {Member} member */
function titleOf(item, member) {
  if (member.kind === "constructor") return `new ${item.name}()`;
  const owner = member.isStatic ? item.name : instanceOf(item);
  return `${owner}${member.name.startsWith("[") ? "" : "."}${member.name}${member.kind === "method" ? "()" : ""}`;
}

class Page {
  /** @param {Subpath} subpath @param {Places} places */
  constructor(subpath, places) {
    this.subpath = subpath;
    this.page = pageOf(subpath.subpath);
    this.places = places;
  }

  render() {
    const { specifier, subject, items } = this.subpath;
    const values = items.filter(({ kind }) => kind === "function" || kind === "class" || kind === "constant");
    const parts = [generated, `# ${specifier}\n`, `${this.prose(subject)}\n`];
    parts.push(
      fence(
        "ts",
        importLine(
          specifier,
          values.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b, "en")),
        ),
      ),
    );
    const entries = this.places.sectionsOf(this.subpath);
    for (const section of entries) {
      if (section.items.length > 0)
        parts.push(`## ${section.title}\n`, ...section.items.map((item) => this.item(item)));
    }
    const elsewhere = items.filter((item) => !entries.some((section) => section.items.includes(item)));
    if (elsewhere.length > 0) {
      const links = elsewhere.map((item) => this.link(item.symbol, item.name)).toSorted();
      parts.push("## Also exported here\n", `${links.join(", ")}.\n`);
    }
    return `${parts.join("\n").trimEnd()}\n`;
  }

  /** @param {Item} item */
  item(item) {
    const parts = [`### ${item.name}\n`];
    const isTable = item.members.length > 0;
    // The members of an object are in the table, unless the type is a union of one with other things.
    const isUnion = item.kind === "type" && item.signatures.some(({ text }) => splitUnion(text).length > 1);
    if (!(isTable && isOptions(item)) || isUnion) {
      const heads = item.signatures.map(({ text }) =>
        isTable && item.kind === "type" && !isUnion ? (text.split(" = ")[0] ?? text) : text,
      );
      parts.push(fence("ts", heads.map(layOut).join("\n")));
    }
    parts.push(this.doc(item.doc, isTable ? "" : this.typesOf(item.signatures)));
    const properties = item.members.filter(({ kind }) => kind === "property");
    const methods = item.members.filter(({ kind }) => kind !== "property");
    if (isOptions(item)) parts.push(this.options(properties));
    else parts.push(this.properties(properties, item));
    if (item.inherited.length > 0) parts.push(this.inherited(item));
    parts.push(
      ...properties.filter(({ doc }) => doc.examples.length > 0).map((member) => this.propertyExample(item, member)),
    );
    parts.push(...methods.map((method) => this.method(item, method)));
    return parts.filter((part) => part !== "").join("\n");
  }

  /** @param {Member[]} members */
  options(members) {
    const rows = members.map(
      ({ name, optional, type, doc }) =>
        `| \`${name}\` | ${this.type(type)} | ${optional ? this.defaultOf(doc) : "required"} | ${cell(this.prose(doc.text))} |`,
    );
    return rows.length === 0
      ? ""
      : `| option | type | default | what it does |\n|---|---|---|---|\n${rows.join("\n")}\n`;
  }

  /** @param {Docstring} doc */
  defaultOf({ default: text = "" }) {
    return text.includes("{@link") ? cell(this.prose(text)) : defaultCell(text);
  }

  /** @param {Member[]} members @param {Item} item */
  properties(members, item) {
    const rows = members.map(({ name, optional, isStatic, type, doc }) => {
      const shown = isStatic ? `${item.name}.${name}` : `${name}${optional ? "?" : ""}`;
      const more = doc.default === undefined ? "" : ` Default: ${this.defaultOf(doc)}.`;
      return `| \`${shown}\` | ${this.type(type)} | ${cell(this.prose(doc.text))}${more} |`;
    });
    return rows.length === 0 ? "" : `| property | type | what it is |\n|---|---|---|\n${rows.join("\n")}\n`;
  }

  /** @param {Item} item */
  inherited(item) {
    const names = item.inherited.map((name) => `\`${name}\``).join(", ");
    const parents = item.heritage.flatMap(({ refs }) => refs.flatMap((ref) => this.linkOrNothing(ref))).join(" and ");
    return parents === "" ? "" : `Also, as in ${parents}: ${names}.\n`;
  }

  /** @param {Item} item @param {Member} member */
  propertyExample(item, member) {
    return `#### ${titleOf(item, member)}\n\n${member.doc.examples.map((example) => `${this.prose(example)}\n`).join("\n")}`;
  }

  /** @param {Item} item @param {Member} method */
  method(item, method) {
    const heads = method.signatures.map(({ text }) =>
      layOut(method.kind === "constructor" ? text.replace("constructor", `new ${item.name}`) : text),
    );
    const doc = this.doc(method.doc, this.typesOf(method.signatures));
    return [`#### ${titleOf(item, method)}\n`, fence("ts", heads.join("\n")), doc]
      .filter((part) => part !== "")
      .join("\n");
  }

  /** @param {Docstring} doc @param {string} types of its signature */
  doc(doc, types) {
    const parts = [];
    if (doc.text !== "") parts.push(`${this.prose(doc.text)}\n`);
    const list = doc.params.map(({ name, text }) => `- \`${name}\`: ${oneLine(this.prose(text))}`);
    if (doc.returns !== undefined) list.push(`- Returns: ${oneLine(this.prose(doc.returns))}`);
    for (const text of doc.throws)
      list.push(`- Throws ${oneLine(this.prose(text.replace(/^\{(?!@)(\w+)\}/, "{@link $1}")))}`);
    for (const text of doc.see) list.push(`- See ${oneLine(this.prose(text))}`);
    if (list.length > 0) parts.push(`${list.join("\n")}\n`);
    if (types !== "") parts.push(types);
    for (const example of doc.examples) parts.push(`${this.prose(example)}\n`);
    return parts.join("\n");
  }

  /** The types that signatures mention. @param {TypeText[]} signatures */
  typesOf(signatures) {
    const links = new Set(signatures.flatMap(({ refs }) => refs.flatMap((ref) => this.linkOrNothing(ref))));
    return links.size === 0 ? "" : `Types: ${[...links].join(", ")}.\n`;
  }

  /** The type of a property for a table: each part of a union is code, and a link where it names one of ours. @param {TypeText} type */
  type({ text, refs }) {
    const parts = splitUnion(oneLine(text)).map((part) => {
      const named = refs.filter((ref) => new RegExp(`(?<![\\w"$])${ref.name}\\b`).test(part));
      const code = `\`${part.replaceAll("|", "\\|")}\``;
      const place = named.length === 1 && named[0] ? this.hrefOf(named[0]) : undefined;
      if (place) return `[${code}](${place})`;
      const links = named.flatMap((ref) => this.linkOrNothing(ref));
      return links.length === 0 ? code : `${code} (${links.join(", ")})`;
    });
    return parts.join(" \\| ");
  }

  /** Markdown of a docstring, with its links. @param {string} text */
  prose(text) {
    const linked = text.replace(
      /(?<!\[)`(ERR_SSE_[A-Z_]+)`/g,
      (code, name) => `[${code}](../errors.md#${anchorOf(name)})`,
    );
    return linked.replace(/\{@link ([\w$]+)(?:\.([\w$]+)(?:\(\))?)?(?:[ |]([^}]+))?\}/g, (_, name, member, label) => {
      const item = this.places.byName.get(name);
      const shown = label ?? `\`${name}${member ? `.${member}` : ""}\``;
      if (!item) return shown;
      const found = item.members.find((candidate) => candidate.name === member);
      return `[${shown}](${this.hrefOf(item.symbol, found)})`;
    });
  }

  /** @param {import("typescript-5").Symbol} symbol @param {Member} [member] */
  hrefOf(symbol, member) {
    const place = this.places.bySymbol.get(symbol);
    if (!place) return undefined;
    const anchor = (member && this.places.anchors.get(member)) ?? this.places.anchors.get(place.item);
    return `${place.page === this.page ? "" : place.page}#${anchor}`;
  }

  /** @param {import("typescript-5").Symbol} symbol @param {string} name */
  link(symbol, name) {
    return `[\`${name}\`](${this.hrefOf(symbol)})`;
  }

  /** @param {import("typescript-5").Symbol} symbol @returns {string[]} */
  linkOrNothing(symbol) {
    const place = this.places.bySymbol.get(symbol);
    return place ? [this.link(symbol, place.item.name)] : [];
  }
}

/** As GitHub makes them of headings. @param {string} heading */
export function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

/** `eventSource` for EventSource, `sse` for SSE. @param {Item} item */
function instanceOf({ name }) {
  return name.replace(/^[A-Z]+(?=[A-Z][a-z])|^[A-Z]+$|^[A-Z]/, (start) => start.toLowerCase());
}

/** @param {string} language @param {string} code */
function fence(language, code) {
  return `\`\`\`${language}\n${code}\n\`\`\`\n`;
}

/** @param {string} specifier @param {string[]} names */
function importLine(specifier, names) {
  const line = `import { ${names.join(", ")} } from "${specifier}";`;
  return line.length <= 100
    ? line
    : `import {\n${names.map((name) => `  ${name},`).join("\n")}\n} from "${specifier}";`;
}

/** A signature with one parameter on a line, where one line would be too long. @param {string} text */
function layOut(text) {
  if (text.length <= 100 || text.includes("\n")) return text;
  const open = openingParenthesis(text);
  if (open === -1) return text;
  const close = matching(text, open);
  const params = splitAt(text.slice(open + 1, close), ",").map((param) => `  ${param.trim()},`);
  return `${text.slice(0, open + 1)}\n${params.join("\n")}\n${text.slice(close)}`;
}

/** The parenthesis that opens the parameters: the first one outside of `<>`. @param {string} text */
function openingParenthesis(text) {
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === "<") depth += 1;
    else if (text[index] === ">" && text[index - 1] !== "=") depth -= 1;
    else if (text[index] === "(" && depth === 0) return index;
  }
  return -1;
}

/** @param {string} text @param {number} open */
function matching(text, open) {
  let depth = 0;
  for (let index = open; index < text.length; index += 1) {
    if (text[index] === "(") depth += 1;
    else if (text[index] === ")" && --depth === 0) return index;
  }
  return text.length;
}

/** Splits at a character outside of all brackets and strings. @param {string} text @param {string} separator */
function splitAt(text, separator) {
  const parts = [""];
  let depth = 0;
  let quoted = "";
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index] ?? "";
    if (quoted) quoted = char === quoted ? "" : quoted;
    else if (/["'`]/.test(char)) quoted = char;
    else if (/[([{<]/.test(char)) depth += 1;
    else if (/[)\]}]/.test(char) || (char === ">" && text[index - 1] !== "=")) depth -= 1;
    if (char === separator && depth === 0 && !quoted) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.filter((part) => part.trim() !== "");
}

/** @param {string} type */
function splitUnion(type) {
  // The return type of a function may be a union, which is not one of functions.
  return /^(<[^>]*>)?\([^()]*\) =>/.test(type) ? [type] : splitAt(type, "|").map((part) => part.trim());
}

/** @param {string} text */
function defaultCell(text) {
  return cell(
    text
      .replace(/"[^"]*"|\[[^\]]*\]|(?<![\w"])\d[\d_.]*\b|\b(?:true|false)\b|\b[a-z]\w*\(\)/g, "`$&`")
      .replace(/^none$/, "–"),
  );
}

/** Text for one cell of a table. @param {string} text */
function cell(text) {
  return text
    .replace(/\n\n+/g, "<br>")
    .replace(/\n- /g, "<br>• ")
    .replace(/\s+/g, " ")
    .replace(/(?<!\\)\|/g, "\\|")
    .trim();
}

/** @param {string} text */
function firstSentence(text) {
  return oneLine(/^[\s\S]*?\.(?=\s|$)/.exec(text)?.[0] ?? text);
}
