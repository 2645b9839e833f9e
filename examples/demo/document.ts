import { type Html, html } from "./html.ts";
import type { Visitor, Visitors } from "./visitors.ts";

interface Field {
  readonly name: string;
  readonly label: string;
  readonly lines: number;
  readonly longest: number;
  text: string;
  /** Who alone may write it. */
  holder: Visitor | null;
}

/**
 * A text of several fields. Whoever writes in one holds its lock, and the lock is held by the stream of the window: when
 * that closes, for whatever reason, the field is free.
 */
export class SharedDocument {
  readonly #visitors: Visitors;
  readonly #fields: ReadonlyMap<string, Field>;

  constructor(visitors: Visitors) {
    this.#visitors = visitors;
    this.#fields = new Map(blank().map((field) => [field.name, field]));
  }

  welcome({ source }: Visitor): void {
    for (const field of this.#fields.values()) source.dispatch(`field-${field.name}`, renderField(field));
    source.addEventListener("close", () => {
      for (const field of this.#fields.values()) if (field.holder?.source === source) this.#free(field);
    });
  }

  field(name: string | null): Field | undefined {
    return name === null ? undefined : this.#fields.get(name);
  }

  /** @returns false when somebody else holds it. */
  lock(field: Field, visitor: Visitor): boolean {
    if (field.holder === null) {
      field.holder = visitor;
      this.#tell(field);
    }
    return field.holder === visitor;
  }

  /** @returns false when the visitor does not hold the field, or the text is too long for it. */
  write(field: Field, visitor: Visitor, text: string): boolean {
    if (field.holder !== visitor || text.length > field.longest) return false;
    if (field.text === text) return true;
    field.text = text;
    this.#tell(field);
    return true;
  }

  release(field: Field, visitor: Visitor): void {
    if (field.holder === visitor) this.#free(field);
  }

  render(): Html {
    return html`${Array.from(
      this.#fields.values(),
      (field) => html`
        <div class="field" data-field="${field.name}" sse-swap="field-${field.name}" hx-swap="innerHTML">
          ${renderField(field)}
        </div>
      `,
    )}`;
  }

  #free(field: Field): void {
    field.holder = null;
    this.#tell(field);
  }

  #tell(field: Field): void {
    this.#visitors.everyone.dispatch(`field-${field.name}`, renderField(field));
  }
}

/** As everybody sees it but the one who writes, whose window leaves alone what it is writing in. */
export function renderField({ name, label, lines, longest, text, holder }: Field): Html {
  const who = holder?.persona;
  const id = `field-${name}`;
  const state = html`maxlength="${longest}" autocomplete="off" aria-describedby="holder-${name}" ${who && html`disabled`}`;
  return html`
    <label for="${id}">${label}</label>
    ${
      lines === 1
        ? html`<input id="${id}" name="${name}" value="${text}" ${state}>`
        : html`<textarea id="${id}" name="${name}" rows="${lines}" ${state}>${text}</textarea>`
    }
    <p class="holder" id="holder-${name}" ${who && html`style="--hue: ${who.hue}"`}>${who && `${who.name} is writing`}</p>
  `;
}

function blank(): Field[] {
  const field = (name: string, label: string, text: string, lines = 1, longest = 80): Field => {
    return { name, label, lines, longest, text, holder: null };
  };
  return [
    field("what", "What", "The Reconnection Picnic"),
    field("when", "When", "Saturday, once we are all online"),
    field("where", "Where", "On the hill behind the data centre"),
    field("bring", "Bring", "Lemonade, a blanket, one anecdote"),
    field("note", "Small print", "In case of rain we reconnect under the big oak.\nNobody misses a thing.", 2, 300),
  ];
}
