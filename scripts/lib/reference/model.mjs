// The public API as data, read from the declarations in dist: for each subpath, what it exports, with docstrings.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript-5";
import { root } from "../paths.mjs";
import { firstComment } from "../source-files.mjs";
import { parseDocstring } from "./docstring.mjs";

/** @typedef {import("./docstring.mjs").Docstring} Docstring */
/** @typedef {"function" | "class" | "interface" | "type" | "constant"} Kind */
/** @typedef {{ text: string, refs: ts.Symbol[] }} TypeText */
/**
 * @typedef {object} Member a property, an option or a group of overloads
 * @property {string} name
 * @property {"property" | "method" | "constructor"} kind
 * @property {boolean} isStatic
 * @property {boolean} optional
 * @property {TypeText} type of a property
 * @property {TypeText[]} signatures of a method
 * @property {Docstring} doc
 */
/**
 * @typedef {object} Item one exported name
 * @property {string} name
 * @property {Kind} kind
 * @property {ts.Symbol} symbol
 * @property {Docstring} doc
 * @property {TypeText[]} signatures
 * @property {Member[]} members
 * @property {TypeText[]} heritage what an interface or class extends
 * @property {string[]} inherited names of properties that an interface has from what it extends
 */
/**
 * @typedef {object} Subpath
 * @property {string} subpath `"."`, `"./node"`
 * @property {string} specifier `"sourcecast/node"`
 * @property {string} subject the first comment of its file in src
 * @property {string} file its declarations
 * @property {Item[]} items
 */

/** @returns {Subpath[]} in the order of package.json; needs dist */
export function readApi() {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === "string" ? [] : [{ subpath, types: /** @type {string} */ (target.types).replace(/^\.\//, "") }],
  );
  const program = ts.createProgram(
    entries.map(({ types }) => join(root, types)),
    {
      lib: ["lib.esnext.d.ts", "lib.webworker.d.ts"],
      types: ["node"],
      module: ts.ModuleKind.NodeNext,
      skipLibCheck: true,
      noEmit: true,
    },
  );
  const reader = new Reader(program.getTypeChecker());
  return entries.map(({ subpath, types }) => {
    const file = program.getSourceFile(join(root, types));
    if (!file) throw new Error(`${types} is missing: build first`);
    const source = readFileSync(join(root, types.replace(/^dist/, "src").replace(/\.d\.ts$/, ".ts")), "utf8");
    return {
      subpath,
      specifier: manifest.name + subpath.slice(1),
      subject: firstComment(source),
      file: file.fileName,
      items: reader.itemsOf(file),
    };
  });
}

class Reader {
  /** @param {ts.TypeChecker} checker */
  constructor(checker) {
    this.checker = checker;
  }

  /** @param {ts.SourceFile} file @returns {Item[]} in the order of the declarations */
  itemsOf(file) {
    const module = this.checker.getSymbolAtLocation(file);
    if (!module) return [];
    return this.checker
      .getExportsOfModule(module)
      .map((exported) => this.itemOf(exported.name, this.resolve(exported)));
  }

  /** @param {ts.Symbol} symbol */
  resolve(symbol) {
    return symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
  }

  /** @param {string} name @param {ts.Symbol} symbol @returns {Item} */
  itemOf(name, symbol) {
    const declarations = symbol.declarations ?? [];
    const main =
      declarations.find(ts.isClassDeclaration) ??
      declarations.find(ts.isFunctionDeclaration) ??
      declarations.find(ts.isVariableDeclaration) ??
      declarations[0];
    if (!main) throw new Error(`${name} has no declaration`);
    /** @type {Item} */
    const item = {
      name,
      symbol,
      kind: "constant",
      doc: this.docOf(ts.isVariableDeclaration(main) ? main.parent.parent : main),
      signatures: [],
      members: [],
      heritage: [],
      inherited: [],
    };
    if (ts.isFunctionDeclaration(main)) {
      item.kind = "function";
      const overloads = declarations.filter(ts.isFunctionDeclaration);
      item.signatures = overloads.map((node) => this.typeText(node, textOf(node)));
      item.doc = mostComplete(overloads.map((node) => this.docOf(node)));
    } else if (ts.isClassDeclaration(main) || ts.isInterfaceDeclaration(main)) {
      item.kind = ts.isClassDeclaration(main) ? "class" : "interface";
      item.signatures = [this.typeText(main, headOf(main))];
      item.members = this.membersOf(main.members).filter((member) => !this.isDocumentedAbove(main, member));
      item.heritage = (main.heritageClauses ?? []).flatMap((clause) => clause.types.map((type) => this.typeText(type)));
      if (ts.isInterfaceDeclaration(main)) {
        const own = new Set(item.members.map((member) => member.name));
        const all = this.checker.getDeclaredTypeOfSymbol(symbol).getProperties();
        item.inherited = all.map((property) => property.name).filter((property) => !own.has(property));
      }
    } else if (ts.isTypeAliasDeclaration(main)) {
      item.kind = "type";
      item.signatures = [this.typeText(main, textOf(main))];
      const parts = ts.isUnionTypeNode(main.type) ? [...main.type.types] : [main.type];
      const literals = parts.filter(ts.isTypeLiteralNode);
      const isOptions = /(Options|Init|Limits|Retention)$/.test(name) || parts.length === 1;
      if (isOptions && literals.length === 1 && literals[0]) item.members = this.membersOf(literals[0].members);
    } else if (ts.isVariableDeclaration(main)) {
      item.signatures = [this.typeText(main, `const ${textOf(main)}`)];
    }
    return item;
  }

  /** Whether a member without docstring is one of a base class or interface. @param {ts.ClassDeclaration | ts.InterfaceDeclaration} node @param {Member} member */
  isDocumentedAbove(node, { name, doc, kind }) {
    if (doc.text !== "" || kind === "constructor") return false;
    const bases = (node.heritageClauses ?? []).flatMap((clause) => [...clause.types]);
    return bases.some((base) => this.checker.getTypeAtLocation(base).getProperty(name) !== undefined);
  }

  /** @param {ts.NodeArray<ts.ClassElement | ts.TypeElement>} nodes @returns {Member[]} */
  membersOf(nodes) {
    /** @type {Map<string, Member>} */
    const members = new Map();
    for (const node of nodes) {
      const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
      const has = (/** @type {ts.SyntaxKind} */ kind) => modifiers.some((modifier) => modifier.kind === kind);
      if (has(ts.SyntaxKind.PrivateKeyword) || (node.name && ts.isPrivateIdentifier(node.name))) continue;
      const doc = this.docOf(node);
      if (doc.isInternal) continue;
      const isStatic = has(ts.SyntaxKind.StaticKeyword);
      const name = ts.isConstructorDeclaration(node) ? "constructor" : (node.name?.getText() ?? textOf(node));
      const isMethod = ts.isMethodDeclaration(node) || ts.isMethodSignature(node);
      const key = `${isStatic} ${name}`;
      const known = members.get(key);
      if (known) {
        if (isMethod || ts.isConstructorDeclaration(node)) known.signatures.push(this.typeText(node, textOf(node)));
        known.doc = mostComplete([known.doc, doc]);
        continue;
      }
      /** @type {Member} */
      const member = {
        name,
        kind: ts.isConstructorDeclaration(node) ? "constructor" : isMethod ? "method" : "property",
        isStatic,
        optional: "questionToken" in node && node.questionToken !== undefined,
        type: { text: "", refs: [] },
        signatures: isMethod || ts.isConstructorDeclaration(node) ? [this.typeText(node, textOf(node))] : [],
        doc,
      };
      if (member.kind === "property") {
        const type = "type" in node ? /** @type {ts.TypeNode | undefined} */ (node.type) : undefined;
        const value = "initializer" in node ? /** @type {ts.Node | undefined} */ (node.initializer) : undefined;
        const shown = type ?? value;
        if (shown) member.type = this.typeText(shown);
      }
      members.set(key, member);
    }
    return [...members.values()];
  }

  /** A node's text, and the names in it that have a declaration. @param {ts.Node} node @param {string} [text] @returns {TypeText} */
  typeText(node, text = textOf(node)) {
    /** @type {Set<ts.Symbol>} */
    const refs = new Set();
    const visit = (/** @type {ts.Node} */ child) => {
      if (ts.isTypeReferenceNode(child) || ts.isExpressionWithTypeArguments(child) || ts.isTypeQueryNode(child)) {
        const name = ts.isTypeReferenceNode(child)
          ? child.typeName
          : ts.isTypeQueryNode(child)
            ? child.exprName
            : child.expression;
        const symbol = this.checker.getSymbolAtLocation(name);
        if (symbol) refs.add(this.resolve(symbol));
      }
      // Members have entries of their own.
      if (!((ts.isClassElement(child) || ts.isTypeElement(child)) && child !== node && text === headOf(node))) {
        ts.forEachChild(child, visit);
      }
    };
    visit(node);
    return { text, refs: [...refs] };
  }

  /** @param {ts.Node} node @returns {Docstring} */
  docOf(node) {
    const file = node.getSourceFile();
    const comments = ts.getLeadingCommentRanges(file.text, node.getFullStart()) ?? [];
    const last = comments.map(({ pos, end }) => file.text.slice(pos, end)).findLast((text) => text.startsWith("/**"));
    return parseDocstring(last ?? "");
  }
}

/** @param {Docstring[]} docs the overloads' @returns {Docstring} */
function mostComplete(docs) {
  const [best] = docs.toSorted((a, b) => b.text.length - a.text.length);
  return /** @type {Docstring} */ (best);
}

/** A declaration as one writes it, without what only declaration files need. @param {ts.Node} node */
function textOf(node) {
  return node
    .getText()
    .replace(/\/\*\*[\s\S]*?\*\/\s*/g, "")
    .replace(/^(export |declare )+/, "")
    .replace(/^function /, "")
    .replace(/;$/, "")
    .replace(/^ {4}/gm, (indent) => indent.slice(2));
}

/** `class Hub<E> extends X`, without members. @param {ts.Node} node */
function headOf(node) {
  if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node)) return "";
  const text = node.getText();
  return text
    .slice(0, node.members.pos - node.getStart() - 1)
    .replace(/^(export |declare )+/, "")
    .trim();
}
