// The routes of a stream, found by the channel of an event.
import { hasMatch } from "./passed.ts";
import type { Route } from "./stream-request.ts";

/** A prefix stands for channels that have no bound, so the index begins again after this many. */
const maxIndexed = 1_000;

/**
 * A set of routes with an index by channel: a page may have hundreds of subscriptions, and an event is mostly for one of them. The
 * index is made as events arrive, and its sets change with this one, so a route that is removed during an event is left out.
 */
export class Routes<R extends Route> extends Set<R> {
  readonly #byChannel = new Map<string, Set<R>>();

  override add(route: R): this {
    for (const [channel, routes] of this.#byChannel) if (hasMatch(route.channels, channel)) routes.add(route);
    return super.add(route);
  }

  override delete(route: R): boolean {
    for (const routes of this.#byChannel.values()) routes.delete(route);
    return super.delete(route);
  }

  /** The routes that follow a channel; all of them without one. */
  of(channel: string | undefined): Set<R> {
    if (channel === undefined) return this;
    let routes = this.#byChannel.get(channel);
    if (routes === undefined) {
      routes = new Set([...this].filter(({ channels }) => hasMatch(channels, channel)));
      if (this.#byChannel.size >= maxIndexed) this.reset();
      this.#byChannel.set(channel, routes);
    }
    return routes;
  }

  /** The channels of routes have changed. */
  reset(): void {
    this.#byChannel.clear();
  }
}
