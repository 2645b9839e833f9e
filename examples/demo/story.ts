import { setTimeout } from "node:timers/promises";
import { Html, html } from "./html.ts";
import { report, type Store } from "./hub.ts";
import type { Persona } from "./personas.ts";
import { tokens } from "./tale.ts";
import type { Visitor, Visitors } from "./visitors.ts";

const tokensPerSecond = 15;
/** How often other windows receive the progress of a story. */
const reportEvery = 15;
/** How long a generator continues without a reader, so that a reload of the page does not stop it. */
const patience = "4s";
const mostShown = 3;

/** One run of the generator. */
interface Telling {
  readonly to: Persona;
  made: number;
  /** How the generator ended, as it saw it. */
  state: "running" | "finished" | "stopped";
  readonly stop: AbortController;
}

/**
 * A generator that tells a tale token by token, on a channel of the window that requested it. It stops when the channel has no
 * subscription left.
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
    this.renderControl(persona)
      .then((control) => source.dispatch("story-control", String(control)))
      .catch(report);
    source.dispatch("tellings", String(this.renderTellings()));
  }

  /** Starts the generator unless it is running. */
  tell({ persona }: Visitor): void {
    if (this.#running.has(persona.id)) return;
    const telling: Telling = { to: persona, made: 0, state: "running", stop: new AbortController() };
    this.#running.set(persona.id, telling);
    this.#shown = [telling, ...this.#shown].slice(0, mostShown);
    this.#showControl(persona).catch(report);
    this.#tell(telling)
      .finally(() => {
        this.#running.delete(persona.id);
        return this.#showControl(persona);
      })
      .catch(report);
  }

  stop({ persona }: Visitor): void {
    this.#running.get(persona.id)?.stop.abort();
  }

  /** The stored part of the latest telling. Later tokens are appended to it. */
  async renderTale(persona: Persona): Promise<Html> {
    const { told, hasBegun } = await this.#read(persona);
    return hasBegun ? renderTale(told.map((token) => new Html(token))) : invitation;
  }

  renderTellings(): Html {
    return html`${this.#shown.map(renderTelling)}`;
  }

  /** All buttons have the same id, so that the focus stays when one replaces another. */
  async renderControl(persona: Persona): Promise<Html> {
    const isRunning = (): boolean => this.#running.has(persona.id);
    const breaksOff = !isRunning() && (await this.#breaksOff(persona));
    // It may have been started while the log was read.
    if (isRunning()) {
      return html`<button id="story-button" type="button" class="quiet" hx-post="/story/stop">Stop listening</button>`;
    }
    return html`<button id="story-button" type="button" hx-post="/story">Tell me a story</button>${breaksOff ? note : ""}`;
  }

  /** Whether the latest telling has lost its generator before the last token, also to the end of the server. */
  async #breaksOff(persona: Persona): Promise<boolean> {
    const { told, isWhole } = await this.#read(persona);
    if (isWhole) return told.length > 0 && told.length < tokens.length;
    // The log no longer has its beginning, so the tokens cannot be counted.
    return told.length > 0 && told.at(-1) !== renderToken(tokens.at(-1) ?? "");
  }

  /** The stored tokens of the latest telling. */
  async #read(persona: Persona): Promise<{ told: string[]; hasBegun: boolean; isWhole: boolean }> {
    const selection = { channels: [Storyteller.channel(persona)], prefixes: [] };
    const entries = await this.#store.log.last(tokens.length + 1, selection);
    const begin = entries.findLastIndex(({ type }) => type === "story");
    const told = entries.slice(begin + 1).map(({ data }) => data);
    return { told, hasBegun: entries.length > 0, isWhole: begin !== -1 };
  }

  async #tell(telling: Telling): Promise<void> {
    const channel = this.#store.hub.channel(Storyteller.channel(telling.to));
    await channel.dispatch("story", String(renderTale([])));
    const result = await channel.pipe(this.#generate(telling), {
      type: "token",
      map: renderToken,
      signal: telling.stop.signal,
      stopWithoutSubscribers: patience,
      endChannel: false,
    });
    if (result.ended === "failed") throw result.error;
  }

  /** Its `finally` block runs after the last token, and when no reader takes another one. */
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

  async #showControl(persona: Persona): Promise<void> {
    const control = String(await this.renderControl(persona));
    for (const { source } of this.#visitors.named(persona)) source.dispatch("story-control", control);
  }
}

const note = html`
  <p class="breaks-off">The story breaks off here. Its generator stops when its reader stops it or leaves, and with its server.</p>
`;

function renderToken(token: string): string {
  return String(html`${token}`);
}

function renderTale(told: readonly Html[]): Html {
  return html`<div class="tale" sse-swap="token" hx-swap="beforeend">${told}</div>`;
}

const invitation = html`
  <p class="placeholder">
    About ${tokens.length} tokens, ${tokensPerSecond} a second. Start it and reload the page: it continues. Or close this
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
