import { type Html, html } from "./html.ts";
import type { Persona } from "./personas.ts";
import { renderAvatar, type Visitor, type Visitors } from "./visitors.ts";

export const longestMessage = 280;

const mostKept = 50;

/** A room in which every window hears every message, and one that comes later the last few of them. */
export class Chat {
  readonly #visitors: Visitors;
  readonly #messages: Html[] = [];

  constructor(visitors: Visitors) {
    this.#visitors = visitors;
  }

  welcome({ source }: Visitor): void {
    source.dispatch("chat-room", html`<ol sse-swap="chat-message" hx-swap="beforeend">${this.#messages}</ol>`);
  }

  /** @returns false for what is no message: nothing, or too much. */
  say({ persona }: Visitor, text: string): boolean {
    const message = text.trim();
    if (message === "" || message.length > longestMessage) return false;
    const markup = renderMessage(persona, message, new Date());
    this.#messages.push(markup);
    if (this.#messages.length > mostKept) this.#messages.shift();
    this.#visitors.everyone.dispatch("chat-message", markup);
    return true;
  }
}

function renderMessage(persona: Persona, text: string, time: Date): Html {
  const clock = time.toTimeString().slice(0, 5);
  return html`
    <li class="message" data-by="${persona.id}" style="--hue: ${persona.hue}">
      ${renderAvatar(persona)}
      <div><p class="by">${persona.name} <time datetime="${time.toISOString()}">${clock}</time></p><p class="text">${text}</p></div>
    </li>
  `;
}
