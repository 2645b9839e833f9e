import type { Hub, HubStats } from "sourcecast";
import { type Html, html } from "./html.ts";
import type { Visitor, Visitors } from "./visitors.ts";

const pace = 1_000;

/** Sends the statistics of the hub to all windows whenever they have changed. */
export class StatsPanel {
  readonly #hub: Hub;
  #shown = "";

  constructor(hub: Hub, visitors: Visitors) {
    this.#hub = hub;
    setInterval(() => {
      const markup = String(this.render());
      if (markup === this.#shown) return;
      this.#shown = markup;
      visitors.everyone.dispatch("stats", markup);
    }, pace).unref();
  }

  welcome({ source }: Visitor): void {
    source.dispatch("stats", String(this.render()));
  }

  /** One row of {@link figures}. */
  render(): Html {
    const stats = this.#hub.stats();
    return html`<tr>${Object.values(figures).map((figure) => html`<td>${figure(stats)}</td>`)}</tr>`;
  }
}

/** The figures by their headings. */
export const figures: Readonly<Record<string, (stats: HubStats) => number | string>> = {
  connections: ({ connections }) => connections,
  live: ({ live }) => live,
  lagging: ({ lagging }) => lagging,
  "head of the log": ({ head }) => head,
  published: ({ published }) => published,
  deliveries: ({ deliveries }) => deliveries,
  delivered: ({ bytes }) => `${(bytes / 1_000).toFixed(1)} kB`,
  conflated: ({ conflated }) => conflated,
  gaps: ({ gaps }) => Object.values(gaps).reduce((sum, count) => sum + count, 0),
  resets: ({ resets }) => resets,
};
