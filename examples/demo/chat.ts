import type { Channel } from "sourcecast";
import { Html, html } from "./html.ts";
import type { Store } from "./hub.ts";
import type { Persona } from "./personas.ts";
import { renderAvatar, type Visitor } from "./visitors.ts";

export const longestMessage = 280;

const mostShown = 50;

/** A room. Every window receives every message; a new one starts with the last few. */
export class Chat {
  static readonly channel = "chat";
  readonly #log: Store["log"];
  readonly #channel: Channel;

  constructor({ hub, log }: Store) {
    this.#log = log;
    this.#channel = hub.channel(Chat.channel);
  }

  /** @returns false for an empty message, or one that is too long. */
  async say({ persona }: Visitor, text: string): Promise<boolean> {
    const message = text.trim();
    if (message === "" || message.length > longestMessage) return false;
    await this.#channel.dispatch("chat-message", String(renderMessage(persona, message, new Date())));
    return true;
  }

  /** The room with its last messages. Later ones are appended to it. */
  async render(): Promise<Html> {
    const entries = await this.#log.last(mostShown, { channels: [Chat.channel], prefixes: [] });
    const messages = entries.map(({ data }) => new Html(data));
    return html`<ol sse-swap="chat-message" hx-swap="beforeend">${messages}</ol>`;
  }
}

function renderMessage(persona: Persona, text: string, time: Date): Html {
  const clock = time.toTimeString().slice(0, 5);
  return html`
    <li class="message" data-by="${persona.id}" style="--hue: ${persona.hue}">
      ${renderAvatar(persona)}
      <div>
        <p class="by">${persona.name} <time datetime="${time.toISOString()}">${clock}</time></p>
        <p class="text">${text}</p>
      </div>
    </li>
  `;
}
