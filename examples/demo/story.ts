import { setTimeout } from "node:timers/promises";
import { type Html, html } from "./html.ts";
import type { Persona } from "./personas.ts";
import { tokens } from "./tale.ts";
import type { Visitor, Visitors } from "./visitors.ts";

const tokensPerSecond = 15;
/** How often the others hear how far a telling has come. */
const reportEvery = 15;
const mostShown = 3;

/** One run of the generator, for one window. */
interface Telling {
  readonly to: Persona;
  made: number;
  /** How the generator itself saw its end; `null` while it runs. */
  ended: "finished" | "stopped" | null;
  readonly stop: AbortController;
}

/** A generator that tells a tale token by token to the window that asked for it, and stops when that is gone. */
export class Storyteller {
  readonly #visitors: Visitors;
  readonly #tellings = new Map<Visitor, Telling>();
  #shown: Telling[] = [];

  constructor(visitors: Visitors) {
    this.#visitors = visitors;
  }

  welcome({ source }: Visitor): void {
    source.dispatch("story-control", renderControl("Tell me a story"));
    source.dispatch("tellings", this.render());
  }

  async tell(visitor: Visitor): Promise<void> {
    if (this.#tellings.has(visitor)) return;
    const telling: Telling = { to: visitor.persona, made: 0, ended: null, stop: new AbortController() };
    const { source } = visitor;
    this.#tellings.set(visitor, telling);
    this.#shown = [telling, ...this.#shown].slice(0, mostShown);
    source.dispatch("story", html`<div class="tale" sse-swap="token" hx-swap="beforeend"></div>`);
    source.dispatch("story-control", renderControl("Stop listening"));
    const { signal } = telling.stop;
    await source.pipe(this.#generate(telling), { type: "token", map: (token) => html`${token}`, signal });
    this.#tellings.delete(visitor);
    source.dispatch("story-control", renderControl("Tell it again"));
  }

  stop(visitor: Visitor): void {
    this.#tellings.get(visitor)?.stop.abort();
  }

  render(): Html {
    return html`${this.#shown.map(renderTelling)}`;
  }

  /** Its `finally` runs when the last token is out, and when nobody takes another one. */
  async *#generate(telling: Telling): AsyncGenerator<string> {
    try {
      for (const token of tokens) {
        await setTimeout(1_000 / tokensPerSecond);
        if (telling.made++ % reportEvery === 0) this.#report();
        yield token;
      }
    } finally {
      telling.ended = telling.made === tokens.length ? "finished" : "stopped";
      this.#report();
    }
  }

  #report(): void {
    this.#visitors.everyone.dispatch("tellings", this.render());
  }
}

function renderTelling({ to, made, ended }: Telling): Html {
  const state = {
    running: `telling, ${made} of ${tokens.length} tokens so far`,
    finished: `all ${tokens.length} tokens told`,
    stopped: `stopped after ${made} of ${tokens.length} tokens, as nobody listens any more`,
  }[ended ?? "running"];
  return html`<li class="${ended ?? "running"}" style="--hue: ${to.hue}"><strong>For ${to.name}</strong> ${state}</li>`;
}

/** All have the same id, so that the focus stays when one takes the place of the other. */
function renderControl(label: "Tell me a story" | "Stop listening" | "Tell it again"): Html {
  return label === "Stop listening"
    ? html`<button id="story-button" type="button" class="quiet" hx-post="/story/stop">${label}</button>`
    : html`<button id="story-button" type="button" hx-post="/story">${label}</button>`;
}
