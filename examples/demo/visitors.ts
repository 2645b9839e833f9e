import { type EventSource, EventSourceSet } from "sourcecast";
import { type Html, html } from "./html.ts";
import type { Persona } from "./personas.ts";

/** An open window: its persona, and the stream on which it receives events. */
export interface Visitor {
  /** A secret of the window, with which its POST requests name its stream. */
  readonly id: string;
  readonly persona: Persona;
  readonly source: EventSource;
}

/** The visitors: those with an open stream. Their events go to a set and are not stored. */
export class Visitors {
  /** Every window; an event that is dispatched here is encoded once. */
  readonly everyone = new EventSourceSet();
  readonly #open = new Map<string, Visitor>();
  /** Windows whose page was sent and whose stream is still to come, oldest first. */
  readonly #expected = new Map<string, { readonly persona: Persona; readonly until: number }>();

  /** Remembers the persona of a page until its stream opens, so that two windows opened at once differ. */
  expect(windowId: string, persona: Persona): void {
    this.#expected.set(windowId, { persona, until: Date.now() + longestLoad });
  }

  welcome(visitor: Visitor): void {
    this.#expected.delete(visitor.id);
    // The window reconnected before its old connection was found to be dead.
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

  /** The windows of a persona: several if an address was opened twice. */
  named({ id }: Persona): Visitor[] {
    return Array.from(this.#open.values()).filter(({ persona }) => persona.id === id);
  }

  /** The personas in use, those of windows that are still loading included. */
  get taken(): Persona[] {
    for (const [id, { until }] of this.#expected) if (until < Date.now()) this.#expected.delete(id);
    return [...this.personas, ...Array.from(this.#expected.values(), ({ persona }) => persona)];
  }

  get personas(): Persona[] {
    return Array.from(this.#open.values(), ({ persona }) => persona);
  }

  #announce(): void {
    this.everyone.dispatch("people", String(renderPeople(this.personas)));
  }
}

/** How long a window may take to open its stream, in milliseconds. */
const longestLoad = 15_000;
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
