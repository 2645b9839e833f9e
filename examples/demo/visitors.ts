import { type EventSource, EventSourceSet } from "sourcecast";
import { type Html, html } from "./html.ts";
import type { Persona } from "./personas.ts";

/** An open window: who it is for the others, and the stream on which it hears everything. */
export interface Visitor {
  /** Known to the window alone: with it the window says in a POST which stream is its own. */
  readonly id: string;
  readonly persona: Persona;
  readonly source: EventSource;
}

/** Who is here: exactly those whose stream is open. What is said of them is said to a set, and kept nowhere. */
export class Visitors {
  /** What is dispatched here reaches every window, encoded once. */
  readonly everyone = new EventSourceSet();
  readonly #open = new Map<string, Visitor>();

  welcome(visitor: Visitor): void {
    // A window that is back before its old connection was found to be dead.
    this.find(visitor.id)?.source.close("replaced");
    this.#open.set(visitor.id, visitor);
    this.everyone.add(visitor.source);
    visitor.source.addEventListener("close", () => {
      if (this.find(visitor.id) === visitor) this.#open.delete(visitor.id);
      this.#announce();
    });
    this.#announce();
  }

  find(id: string | null): Visitor | undefined {
    return id === null ? undefined : this.#open.get(id);
  }

  /** More than one where an address was opened twice. */
  named({ id }: Persona): Visitor[] {
    return Array.from(this.#open.values()).filter(({ persona }) => persona.id === id);
  }

  get personas(): Persona[] {
    return Array.from(this.#open.values(), ({ persona }) => persona);
  }

  #announce(): void {
    this.everyone.dispatch("people", String(renderPeople(this.personas)));
  }
}

const mostShown = 5;

function renderPeople(personas: readonly Persona[]): Html {
  const count = personas.length;
  return html`
    <ul class="avatars" aria-hidden="true">
      ${personas.slice(0, mostShown).map((persona) => html`<li>${renderAvatar(persona)}</li>`)}
    </ul>
    <p><strong id="connections">${count}</strong> ${count === 1 ? "window" : "windows"} connected</p>
  `;
}

export function renderAvatar({ name, hue }: Persona): Html {
  const initials = name.replace(/[^A-Z]/g, "");
  return html`<span class="avatar" style="--hue: ${hue}" title="${name}">${initials}</span>`;
}
