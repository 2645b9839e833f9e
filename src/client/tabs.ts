// One connection for all tabs of a browser: one tab leads, and the others follow its stream. Loaded for `share: "browser"`.
//
// The leader holds a lock, runs the connections of handover.ts, and posts everything that they bring. The router of each tab
// is fed with it as if the stream were its own, and decides for its lines. So what is routed, decoded and reported is the
// business of each tab, and a tab that becomes the leader continues with the state that its router has.
import type { TabChannel, TabRuntime } from "./environment.ts";
import type { Lane } from "./lane.ts";
import type { Line } from "./line.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import type { ReconnectState } from "./reconnect.ts";
import type { TabRole } from "./tab-election.ts";
import { namePrefix, type TabRequest } from "./tab-messages.ts";
import type { TabContext } from "./tab-parts.ts";
import { Session } from "./tab-session.ts";
import { lingerMs, workerLingerMs } from "./tab-times.ts";
import type { Upstream } from "./upstream.ts";

/** @returns Null where the runtime has no Web Locks or no BroadcastChannel, or on a page that is not secure. */
export function openTabs(lane: Lane, context: TabContext): Upstream | null {
  const { tabs: runtime = runtimeTabs() } = context.environment;
  return runtime === null ? null : new Tabs(lane, context, runtime, "tab");
}

/** Both APIs exist in pages and workers, but Web Locks only in secure contexts. */
export function runtimeTabs(): TabRuntime | null {
  const { locks } = (globalThis.navigator ?? {}) as { locks?: TabRuntime["locks"] };
  if (locks === undefined || globalThis.BroadcastChannel === undefined) return null;
  return { locks, openChannel: (name) => new BroadcastChannel(name) as unknown as TabChannel };
}

/** The options that a tab passes to a worker: plain data. */
export interface WorkerOptions
  extends Pick<ResolvedSubscribeOptions, (typeof plainOptions)[number]>,
    Partial<Pick<ResolvedSubscribeOptions, "fetch">> {
  /** Of the channel and the locks. */
  readonly name: string;
}

/** The rest are functions, which cannot be posted: a live tab calls them. */
const plainOptions = [
  "method",
  "credentials",
  "lastEventIdIn",
  "maxEventSize",
  "enabled",
  "initial",
  "max",
  "connectTimeout",
  "idleTimeout",
  "defaultRetry",
] as const;

/** This tab among the tabs of a browser: the upstream of its lane. */
export class Tabs implements Upstream {
  readonly #lane: Lane;
  readonly #context: TabContext;
  readonly #runtime: TabRuntime;
  readonly #name: string;
  /** Ends the watch over the page. */
  readonly #unwatch: () => void;
  readonly #role: TabRole;
  /** Of the time in which the page is shown; `null` while it is put away, and before the first line. */
  #session: Session | null = null;
  /** Cancels the wait after the last line has left: a component may be added again. */
  #cancelLinger: () => void = () => {};

  constructor(lane: Lane, context: TabContext, runtime: TabRuntime, role: TabRole) {
    this.#lane = lane;
    this.#context = context;
    this.#runtime = runtime;
    const { key } = context.options;
    this.#name = role === "worker" ? String(key[0]) : namePrefix + JSON.stringify(key);
    this.#role = role;
    this.#unwatch = context.environment.watch({
      // A page that is put away gives up its locks and its channel, which would keep it out of the back/forward cache.
      onSuspend: () => this.#leave(),
      onWake: () => this.#join(),
      onOffline: () => {},
    });
  }

  /** The connections of this tab while it leads, else the session, which follows those of another tab. */
  get #source(): Omit<Upstream, "close"> | null {
    return this.#session?.handover ?? this.#session;
  }

  get state(): ReconnectState | null {
    return this.#source?.state ?? null;
  }

  get nextState(): ReconnectState | null {
    return this.#source?.nextState ?? null;
  }

  /** Whether the leader's stream, as far as this tab has followed it, has routes in force. */
  get isOpen(): boolean {
    return this.#source?.isOpen === true;
  }

  /** A leader acts on its connections. Any other tab tells the leader, and gives up its place when it needs nothing. */
  update(added?: Line): void {
    this.#join();
    this.#cancelLinger();
    this.#source?.update(added);
    if (this.#session?.handover || !this.#lane.isIdle) return;
    this.#cancelLinger = this.#context.environment.after(this.#role === "worker" ? workerLingerMs : lingerMs, () => {
      if (this.#lane.isIdle) this.#lane.shut();
    });
  }

  handOver(): void {
    this.#source?.handOver();
  }

  reconnect(): void {
    this.#source?.reconnect();
  }

  close(): void {
    this.#cancelLinger();
    this.#unwatch();
    this.#leave();
  }

  /** With the first line, and when the page comes back. */
  #join(): void {
    if (this.#session !== null) return;
    const role = this.#role === "tab" && this.#callWorker() ? "guest" : this.#role;
    this.#session = new Session(this.#lane, this.#context, this.#runtime, this.#name, role);
  }

  /** Tells the worker of the application that there is a tab. Without it, for whatever reason, a tab leads. */
  #callWorker(): boolean {
    const { options } = this.#context;
    if (options.worker === undefined) return false;
    try {
      // A worker that runs already has a group of this name, and ignores the message.
      const plain = Object.fromEntries(plainOptions.map((name) => [name, options[name]]));
      options.worker().port.postMessage({ ...plain, name: this.#name });
      return true;
    } catch {
      return false;
    }
  }

  /** Asks the tabs for the parts of a request that the application decides. */
  ask(): Promise<TabRequest> {
    return this.#session?.ask() ?? Promise.reject(new Error("The page is put away"));
  }

  /** Forgotten before it closes: a line that reacts to the end finds no session, and begins another one. */
  #leave(): void {
    const session = this.#session;
    this.#session = null;
    session?.close();
  }
}
