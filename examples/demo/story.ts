import { setTimeout } from "node:timers/promises";
import { Html, html } from "./html.ts";
import { report, type Store } from "./hub.ts";
import type { Persona } from "./personas.ts";
import { tokens } from "./tale.ts";
import type { Visitor, Visitors } from "./visitors.ts";

const tokensPerSecond = 15;
/** How often the others hear how far a telling has come. */
const reportEvery = 15;
/** How long a generator goes on without a reader, so that a reload of the page does not stop it. */
const patience = "4s";
const mostShown = 3;

/** One run of the generator. */
interface Telling {
  readonly to: Persona;
  made: number;
  /** How the generator itself saw its end. */
  state: "running" | "finished" | "stopped";
  readonly stop: AbortController;
}

/**
 * A generator that tells a tale token by token on a channel of the window that asked for it. It stops when nobody follows
 * the channel any more.
 */
export class Storyteller {
  readonly #store: Store;
  readonly #visitors: Visitors;
  readonly #running = new Map<string, Telling>();
  #shown: Telling[] = [];

  constructor(store: Store, visitors: Visitors) {
    this.#store = store;
    this.#visitors = visitors;
  }

  static channel({ id }: Persona): string {
    return `story/${id}`;
  }

  welcome({ persona, source }: Visitor): void {
    source.dispatch("story-control", String(this.renderControl(persona)));
    source.dispatch("tellings", String(this.renderTellings()));
  }

  /** Begins, unless it is at it already. */
  tell({ persona }: Visitor): void {
    if (this.#running.has(persona.id)) return;
    const telling: Telling = { to: persona, made: 0, state: "running", stop: new AbortController() };
    this.#running.set(persona.id, telling);
    this.#shown = [telling, ...this.#shown].slice(0, mostShown);
    this.#showControl(persona);
    this.#tell(telling)
      .catch(report)
      .finally(() => {
        this.#running.delete(persona.id);
        this.#showControl(persona);
      });
  }

  stop({ persona }: Visitor): void {
    this.#running.get(persona.id)?.stop.abort();
  }

  /** What was told last, as far as it is kept. What follows is added to it. */
  async renderTale(persona: Persona): Promise<Html> {
    const selection = { channels: [Storyteller.channel(persona)], prefixes: [] };
    const entries = await this.#store.log.last(tokens.length + 1, selection);
    if (entries.length === 0) return invitation;
    const told = entries.slice(entries.findLastIndex(({ type }) => type === "story") + 1);
    return renderTale(told.map(({ data }) => new Html(data)));
  }

  renderTellings(): Html {
    return html`${this.#shown.map(renderTelling)}`;
  }

  /** All have the same id, so that the focus stays when one takes the place of the other. */
  renderControl({ id }: Persona): Html {
    if (this.#running.has(id)) {
      return html`<button id="story-button" type="button" class="quiet" hx-post="/story/stop">Stop listening</button>`;
    }
    return html`<button id="story-button" type="button" hx-post="/story">Tell me a story</button>`;
  }

  async #tell(telling: Telling): Promise<void> {
    const channel = this.#store.hub.channel(Storyteller.channel(telling.to));
    await channel.dispatch("story", String(renderTale([])));
    const result = await channel.pipe(this.#generate(telling), {
      type: "token",
      map: (token) => String(html`${token}`),
      signal: telling.stop.signal,
      stopWithoutSubscribers: patience,
      endChannel: false,
    });
    if (result.ended === "failed") throw result.error;
  }

  /** Its `finally` runs when the last token is out, and when nobody takes another one. */
  async *#generate(telling: Telling): AsyncGenerator<string> {
    try {
      for (const token of tokens) {
        await setTimeout(1_000 / tokensPerSecond);
        if (telling.made++ % reportEvery === 0) this.#showTellings();
        yield token;
      }
    } finally {
      telling.state = telling.made === tokens.length ? "finished" : "stopped";
      this.#showTellings();
    }
  }

  #showTellings(): void {
    this.#visitors.everyone.dispatch("tellings", String(this.renderTellings()));
  }

  #showControl(persona: Persona): void {
    for (const { source } of this.#visitors.named(persona))
      source.dispatch("story-control", String(this.renderControl(persona)));
  }
}

function renderTale(told: readonly Html[]): Html {
  return html`<div class="tale" sse-swap="token" hx-swap="beforeend">${told}</div>`;
}

const invitation = html`
  <p class="placeholder">
    About ${tokens.length} tokens, ${tokensPerSecond} a second. Start it and reload the page: it goes on. Or close this
    window, and see in the other one how the generator stops.
  </p>
`;

function renderTelling({ to, made, state, stop }: Telling): Html {
  const text = {
    running: `telling, ${made} of ${tokens.length} tokens so far`,
    finished: `all ${tokens.length} tokens told`,
    stopped: `stopped after ${made} of ${tokens.length} tokens: the reader ${stop.signal.aborted ? "had enough" : "left"}`,
  }[state];
  return html`<li class="${state}" style="--hue: ${to.hue}"><strong>For ${to.name}</strong> ${text}</li>`;
}
