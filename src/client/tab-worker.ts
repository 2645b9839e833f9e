// The connections of a SharedWorker: one for the tabs of each identity.
import { lose } from "./backoff.ts";
import type { Environment } from "./environment.ts";
import { judgeFailure, remedyOf } from "./failures.ts";
import { Lane, type LaneContext } from "./lane.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import { judge } from "./response.ts";
import { namePrefix, type TabRequest } from "./tab-messages.ts";
import { type TabContext, type TabParts, tabParts } from "./tab-parts.ts";
import { runtimeTabs, Tabs, type WorkerOptions } from "./tabs.ts";
import type { Upstream } from "./upstream.ts";

/**
 * A tab has subscriptions with these options. The worker may be of an older build than the tab: then it would not understand the
 * tab's messages, and leaves the connection to the tabs.
 */
export function serveTab(groups: Map<string, WorkerGroup>, options: WorkerOptions, environment: Environment): void {
  if (!options.name.startsWith(namePrefix) || groups.has(options.name)) return;
  const group = new WorkerGroup(options, environment, () => groups.delete(options.name));
  if (group.isOpen) groups.set(options.name, group);
}

/** The connection of the tabs with one identity. It has no lines but those of the tabs, until the last of them has left. */
export class WorkerGroup implements LaneContext, TabContext {
  readonly options: ResolvedSubscribeOptions;
  readonly environment: Environment;
  /** The most channels that a connection of this server may have. */
  limit: number = Number.POSITIVE_INFINITY;
  readonly parts: TabParts = tabParts;
  /** Has a lane. Without one, the next tab makes a new group. */
  isOpen = false;
  #tabs: Tabs | null = null;
  readonly #onEnd: () => void;

  constructor(
    { name, fetch = globalThis.fetch, ...plain }: WorkerOptions,
    environment: Environment,
    onEnd: () => void,
  ) {
    this.environment = environment;
    this.#onEnd = onEnd;
    // One answer serves an attempt. The address is asked for first.
    let answer: Promise<TabRequest> | undefined;
    const ask = async (): Promise<TabRequest> => {
      answer = this.#tabs?.ask() ?? Promise.reject(new Error("The worker has ended"));
      return answer;
    };
    this.options = {
      ...plain,
      url: async () => (await ask()).url,
      headers: async () => (await answer)?.headers ?? [],
      body: async () => (await answer)?.body ?? null,
      // Not as a method of the options: browsers reject `fetch` with another `this`.
      fetch: (...args) => fetch(...args),
      judge,
      judgeFailure,
      remedyOf,
      lose: (...args) => lose(plain, ...args),
      after: "",
      channels: [],
      share: "browser",
      key: [name],
      // Each tab decodes and validates under its own contract.
      validate: false,
    };
    new Lane(this, true);
    this.#tabs?.update();
  }

  connect(lane: Lane): Upstream {
    const { tabs = runtimeTabs() } = this.environment;
    // Thrown to the script of the worker. The tabs, which have waited for it to lead, lead on their own.
    if (tabs === null) throw new TypeError("The worker has no Web Locks or no BroadcastChannel; the tabs lead");
    this.#tabs = new Tabs(lane, this, tabs, "worker");
    return this.#tabs;
  }

  /** There is one lane, which opens with the group and ends it. */
  add(): void {
    this.isOpen = true;
  }

  delete(): void {
    this.isOpen = false;
    this.#onEnd();
  }

  // --- all lines stand for tabs, and none of them moves ---

  place(): void {}
  catchUp(): void {}
  merge(): void {}
  forget(): void {}
}
