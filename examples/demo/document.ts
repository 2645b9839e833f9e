import type { Channel } from "sourcecast";
import { type Html, html } from "./html.ts";
import { report, type Store } from "./hub.ts";
import type { Visitor } from "./visitors.ts";

interface Field {
  readonly name: string;
  readonly label: string;
  readonly lines: number;
  readonly longest: number;
  text: string;
  /** The only visitor that may write in it. */
  holder: Visitor | null;
}

/**
 * A document of several fields. A visitor that writes in one holds its lock. The lock belongs to the stream of the window: when
 * the stream closes, for whatever reason, the field is free.
 */
export class SharedDocument {
  static readonly channel = "document";
  readonly #fields: ReadonlyMap<string, Field> = new Map(blank().map((field) => [field.name, field]));
  readonly #log: Store["log"];
  /** The views of the fields, as windows receive them. */
  readonly #views: Channel;
  /** The text of the fields, which is read again after a restart. */
  readonly #texts: Channel;

  private constructor({ hub, log }: Store) {
    this.#log = log;
    this.#views = hub.channel(SharedDocument.channel);
    this.#texts = hub.channel("document/texts");
  }

  /** Continues with the text that was written before. */
  static async open(store: Store): Promise<SharedDocument> {
    const document = new SharedDocument(store);
    for (const [name, text] of await document.#latest(document.#texts)) {
      const field = document.field(name);
      if (field !== undefined) field.text = text;
    }
    // A killed server could not announce that its locks were free.
    for (const [name, view] of await document.#latest(document.#views)) {
      const field = document.field(name);
      if (field !== undefined && view !== String(renderField(field))) await document.#publish(field);
    }
    return document;
  }

  welcome({ source }: Visitor): void {
    source.addEventListener("close", () => {
      for (const field of this.#fields.values()) {
        if (field.holder?.source === source) this.#free(field).catch(report);
      }
    });
  }

  field(name: string | null): Field | undefined {
    return name === null ? undefined : this.#fields.get(name);
  }

  /** @returns false if another visitor holds it. */
  async lock(field: Field, visitor: Visitor): Promise<boolean> {
    if (field.holder !== null) return field.holder === visitor;
    field.holder = visitor;
    await this.#publish(field);
    return true;
  }

  /** @returns false if the visitor does not hold the field, or the text is too long. */
  async write(field: Field, visitor: Visitor, text: string): Promise<boolean> {
    if (field.holder !== visitor || text.length > field.longest) return false;
    if (field.text === text) return true;
    field.text = text;
    await this.#texts.dispatch("text", text, { key: field.name });
    await this.#publish(field);
    return true;
  }

  async release(field: Field, visitor: Visitor): Promise<void> {
    if (field.holder === visitor) await this.#free(field);
  }

  /** Each field, by its name. */
  render(): Map<string, Html> {
    return new Map(Array.from(this.#fields, ([name, field]) => [name, renderField(field)]));
  }

  async #free(field: Field): Promise<void> {
    field.holder = null;
    await this.#publish(field);
  }

  /** With a key: a window that is new or reconnects needs only the latest view of each field. */
  async #publish(field: Field): Promise<void> {
    await this.#views.dispatch(`field-${field.name}`, String(renderField(field)), { key: field.name });
  }

  async #latest({ name }: Channel): Promise<Map<string, string>> {
    const { top } = await this.#log.head();
    const options = { after: 0, upTo: top, maxBytes: Number.MAX_SAFE_INTEGER };
    const { entries } = await this.#log.latestByKey({ channels: [name], prefixes: [] }, options);
    return new Map(entries.map(({ key = "", data }) => [key, data]));
  }
}

/** A field as the other windows see it. The window that holds it does not replace the input that it is typing in. */
export function renderField({ name, label, lines, longest, text, holder }: Field): Html {
  const who = holder?.persona;
  const id = `field-${name}`;
  const state = html`maxlength="${longest}" autocomplete="off" aria-describedby="holder-${name}" ${who && html`disabled`}`;
  return html`
    <label for="${id}">${label}</label>
    <textarea id="${id}" name="${name}" rows="${lines}" data-lines="${lines}" ${state}>${text}</textarea>
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
    field("where", "Where", "On the hill beyond the data centre"),
    field("bring", "Bring", "Lemonade, a blanket, one anecdote"),
    field("note", "Small print", "In case of rain we reconnect under the big oak.\nNo one misses a thing.", 2, 300),
  ];
}
