// The connections of a page: which subscriptions share one.
import type { Environment } from "./environment.ts";
import { Handover } from "./handover.ts";
import { Lane, type LaneContext } from "./lane.ts";
import type { Line } from "./line.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import { type TabContext, type TabParts, tabParts } from "./tab-parts.ts";
import type { openTabs } from "./tabs.ts";
import type { Upstream } from "./upstream.ts";

/** The groups of each environment. A page has one; tests have many. */
const pages = new WeakMap<Environment, Set<Group>>();

/** Finds a connection for a line, or opens one. */
export function placeLine(line: Line): void {
  const { options, environment } = line;
  const { share, key } = options;
  const groups = pages.get(environment) ?? new Set();
  pages.set(environment, groups);
  const shared = share === false ? undefined : [...groups].find((one) => isSameKey(one.options.key, key));
  const group = shared ?? new Group(options, environment, groups);
  if (share === "browser") void group.placeAfterLoading(line);
  else group.place(line);
}

/**
 * Subscriptions that may share: of the same address, for the same user. Mostly they have one lane. There are more while lines
 * catch up, for loops that were full, above the server's limit of channels, and for servers without cursors.
 */
class Group implements LaneContext, TabContext {
  readonly options: ResolvedSubscribeOptions;
  readonly environment: Environment;
  /** The connections, those of lines that catch up included. */
  readonly lanes: Set<Lane> = new Set();
  /** The most channels that a connection of this server may have. */
  limit = Number.POSITIVE_INFINITY;
  readonly parts: TabParts = tabParts;
  readonly #groups: Set<Group>;
  /** Loads the code that shares with other tabs. Without it, for whatever reason, the page has its own connection. */
  #loading: Promise<void> | null = null;
  /** `null` until the code is loaded, and for good if that fails. */
  #openTabs: typeof openTabs | null = null;

  constructor(options: ResolvedSubscribeOptions, environment: Environment, groups: Set<Group>) {
    this.options = options;
    this.environment = environment;
    this.#groups = groups;
  }

  /** A browser has one connection for all tabs. Lines that it cannot serve have others, in their page. */
  connect(lane: Lane): Upstream {
    const isFirst = lane.isHome && ![...this.lanes].some((one) => one.isHome);
    return (isFirst && this.#openTabs?.(lane, this)) || new Handover(lane, this);
  }

  /** Lines of the same turn wait for the same loading. */
  async placeAfterLoading(line: Line): Promise<void> {
    this.#groups.add(this);
    this.#loading ??= import("./tabs.ts").then(
      (module) => {
        this.#openTabs = module.openTabs;
      },
      () => {},
    );
    await this.#loading;
    // A component may have been removed while the code was loading.
    if (!line.isClosed) this.place(line);
  }

  /** A group without lanes is forgotten, and remembered again with its next lane. */
  add(lane: Lane): void {
    this.lanes.add(lane);
    if (this.options.share !== false) this.#groups.add(this);
  }

  /** Without a lane, a group would keep its options, and with them the values of the application. */
  delete(lane: Lane): void {
    this.lanes.delete(lane);
    if (this.lanes.size === 0) this.#groups.delete(this);
  }

  /** A line that begins at a position of its own has its own connection, until it has caught up. */
  place(line: Line): void {
    const { share, after } = line.options;
    if (share === false || (after !== "" && line.lane === null)) {
      new Lane(this, false, after, line.channels).add(line);
      return;
    }
    const lane = this.#find(line) ?? new Lane(this, true);
    if (line.needsState && lane.router.isLate(line, true)) this.catchUp(lane, line);
    else lane.add(line);
  }

  /** Lines that come late at the same time have one connection for that. */
  catchUp(lane: Lane, line: Line): void {
    lane.returning.add(line);
    const { lanes, limit } = this;
    // One that is not open yet: its request can still name the channels of this line.
    const opening = [...lanes].find((one) => !one.isOpen && one.accepts(line, limit, false));
    (opening ?? new Lane(this, true, "", [], false)).add(line);
  }

  /** A lane with room for the channels of the line, whose stream can serve it. */
  #find(line: Line): Lane | undefined {
    return [...this.lanes].find((one) => one.accepts(line, this.limit));
  }

  /**
   * Moves lines that have caught up to their shared connection. Called for each event of each lane, so it does nothing as long as
   * there is one lane.
   */
  merge(): void {
    if (this.lanes.size < 2) return;
    for (const lane of [...this.lanes]) {
      if (lane.isHome || !lane.isOpen) continue;
      for (const line of [...lane.router.routes]) {
        // A line whose loop was full stays on its own: on the shared connection it would be full again at once.
        const home = line.isDetached ? undefined : this.#find(line);
        if (home?.isOpen) home.invite(line);
      }
    }
  }

  /** The line is closed, or has been taken in by a lane. */
  forget(line: Line): void {
    for (const lane of this.lanes) lane.forget(line);
  }
}

/** By identity: two functions may give the headers of different users. */
function isSameKey(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((part, index) => part === other[index]);
}
