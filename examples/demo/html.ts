/** Markup that is safe to send: made by `html`, which escapes every value. */
export class Html {
  readonly #markup: string;

  constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

export type HtmlValue = Html | string | number | false | null | undefined | readonly HtmlValue[];

/** A template for markup. Values are escaped unless they are markup of another template. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let markup = "";
  for (const [index, part] of parts.entries()) markup += oneLine(part) + toMarkup(values[index]);
  return new Html(markup);
}

function toMarkup(value: HtmlValue): string {
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(toMarkup).join("");
  if (value === false || value === null || value === undefined) return "";
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Joins the lines of a template: an event with a single `data:` line is easier to read on the wire. */
function oneLine(part: string): string {
  return part.replace(/(^|>)\s*\n\s*(<|$)/g, "$1$2").replace(/\s*\n\s*/g, " ");
}
