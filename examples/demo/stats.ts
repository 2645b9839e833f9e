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
    return html`<tr>${Object.values(figures).map(({ read }) => html`<td>${read(stats)}</td>`)}</tr>`;
  }
}

interface Figure {
  /** The meaning of the figure, in the words of the page. */
  readonly meaning: string;
  read(stats: HubStats): number | string;
}

/** The figures by their headings. */
export const figures: Readonly<Record<string, Figure>> = {
  connections: { meaning: "open streams, one for each window", read: ({ connections }) => connections },
  live: { meaning: "streams that have everything and receive events at once", read: ({ live }) => live },
  lagging: { meaning: "streams that are catching up, or read slowly", read: ({ lagging }) => lagging },
  "head of the log": { meaning: "the number of the newest event in the log file", read: ({ head }) => head },
  published: { meaning: "events published since the server started", read: ({ published }) => published },
  deliveries: { meaning: "events sent, counted once for each window", read: ({ deliveries }) => deliveries },
  delivered: { meaning: "their size", read: ({ bytes }) => `${(bytes / 1_000).toFixed(1)} kB` },
  conflated: { meaning: "events left out because a newer one replaced them", read: ({ conflated }) => conflated },
  gaps: {
    meaning: "times a window was told that it missed events",
    read: ({ gaps }) => Object.values(gaps).reduce((sum, count) => sum + count, 0),
  },
  resets: { meaning: "times a window was told that the log is a new one", read: ({ resets }) => resets },
};
