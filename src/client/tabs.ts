// One connection for all tabs of a browser: one tab leads, and the others follow its stream. Loaded for `share: "browser"`.
//
// The leader holds a lock, runs the connections of handover.ts, and posts everything that they bring. The router of each tab
// is fed with it as if the stream were its own, and decides for its lines. So what is routed, decoded and reported is the
// business of each tab, and a tab that becomes the leader continues with the state that its router has.
import { type Position, parseCursor } from "../wire/cursor.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { readChannelLimit } from "../wire/preamble.ts";
import type { TabChannel, TabRuntime } from "./environment.ts";
import { Handover, type Upstream, type UpstreamContext, type UpstreamOwner } from "./handover.ts";
import type { Lane } from "./lane.ts";
import { Line } from "./line.ts";
import { isNew } from "./position.ts";
import type { ClosedBy, ReconnectState } from "./reconnect.ts";
import type { StreamRequest, StreamSnapshot } from "./router.ts";
import {
  type Fence,
  type FromLeader,
  isNewer,
  type LeaderNews,
  packError,
  packRequest,
  packState,
  type TabMessage,
  unpackError,
  unpackRequest,
  unpackState,
} from "./tab-messages.ts";

/** How long a new leader waits for the channels of the other tabs. */
const gatherMs = 50;
/** Without a message for so long, a tab asks whether the leader is there. */
const silentMs = 20_000;
/** A leader that does not answer in this time is frozen: another tab takes its lock. */
const answerMs = 3_000;
/** Messages that are kept for tabs that have missed some, and the characters of data in them. */
const ringSize = 256;
const ringCharacters = 1_000_000;
/** A component that is removed and added again within this time changes nothing. */
const lingerMs = 1_000;
/** A tab that waits for an answer of the leader asks again after this time. */
const askAgainMs = 1_000;

/** @returns Null where the runtime has no Web Locks or no BroadcastChannel, or on a page that is not secure. */
export function openTabs(lane: Lane, context: UpstreamContext): Upstream | null {
  const runtime = context.environment.tabs ?? runtimeTabs();
  return runtime === null ? null : new Tabs(lane, context, runtime);
}

function runtimeTabs(): TabRuntime | null {
  const { locks } = globalThis.navigator as { locks?: TabRuntime["locks"] };
  if (locks === undefined || globalThis.BroadcastChannel === undefined) return null;
  return { locks, openChannel: (name) => new BroadcastChannel(name) as unknown as TabChannel };
}

/** This tab among the tabs of a browser: the upstream of its lane. */
class Tabs implements Upstream {
  readonly #lane: Lane;
  readonly #context: UpstreamContext;
  readonly #runtime: TabRuntime;
  readonly #name: string;
  readonly #unwatch: () => void;
  #session: Session | null = null;
  #cancelLinger: () => void = () => {};

  constructor(lane: Lane, context: UpstreamContext, runtime: TabRuntime) {
    this.#lane = lane;
    this.#context = context;
    this.#runtime = runtime;
    this.#name = `sourcecast ${JSON.stringify(context.options.key)}`;
    this.#unwatch = context.environment.watch({
      // A page that is put away gives up its locks and its channel, which would keep it out of the back/forward cache.
      onSuspend: () => this.#leave(),
      onWake: () => this.#join(),
      onOffline: () => {},
    });
  }

  get #leader(): Handover | null {
    return this.#session?.handover ?? null;
  }

  get state(): ReconnectState | null {
    return this.#leader === null ? (this.#session?.state ?? null) : this.#leader.state;
  }

  get isStale(): boolean {
    return this.#leader === null ? this.#session?.isStale === true : this.#leader.isStale;
  }

  get nextState(): ReconnectState | null {
    return this.#leader?.nextState ?? null;
  }

  get isOpen(): boolean {
    return this.#leader === null ? this.#session?.isOpen === true : this.#leader.isOpen;
  }

  update(added?: Line): void {
    this.#join();
    this.#cancelLinger();
    if (this.#leader !== null) this.#leader.update(added);
    else {
      this.#session?.want();
      if (!this.#lane.isIdle) return;
      this.#cancelLinger = this.#context.environment.after(lingerMs, () => {
        if (this.#lane.isIdle) this.#lane.shut();
      });
    }
  }

  handOver(): void {
    if (this.#leader === null) this.#session?.want();
    else this.#leader.handOver();
  }

  close(): void {
    this.#cancelLinger();
    this.#unwatch();
    this.#leave();
  }

  #join(): void {
    this.#session ??= new Session(this.#lane, this.#context, this.#runtime, this.#name);
  }

  #leave(): void {
    const session = this.#session;
    this.#session = null;
    session?.close();
  }
}

/** The time in which a page is shown: it may be put away, and come back with another session. */
class Session implements UpstreamOwner {
  /** The connections, while this tab leads. */
  handover: Handover | null = null;
  state: ReconnectState | null = null;
  isStale = false;
  isOpen = false;
  readonly #lane: Lane;
  readonly #context: UpstreamContext;
  readonly #runtime: TabRuntime;
  readonly #name: string;
  readonly #id: string;
  readonly #channel: TabChannel;
  readonly #abort = new AbortController();
  /** This tab holds its lock. A leader that serves it earlier would take it for gone. */
  #isPresent = false;
  /** The leader as far as this tab knows: messages of an earlier one are ignored, however late it thaws. */
  #fence: Fence = [0, ""];
  /** The number of the leader's last message, or null as long as this tab does not follow it. */
  #seen: number | null = null;
  #heardAt: number;
  #cancelTimer: () => void = () => {};
  /** The channels that were told last, and when the leader was asked for anything. */
  #told = "";
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Of the other tabs, while this one leads. */
  readonly #remotes = new Map<string, Line>();
  #ring: FromLeader[] = [];
  #ringWeight = 0;
  /** The streams of other tabs, while this one has been elected and gathers them. */
  #gathered: StreamSnapshot[] = [];

  constructor(lane: Lane, context: UpstreamContext, runtime: TabRuntime, name: string) {
    this.#lane = lane;
    this.#context = context;
    this.#runtime = runtime;
    this.#name = name;
    this.#id = context.environment.random().toString(36).slice(2);
    this.#heardAt = context.environment.now();
    this.#channel = runtime.openChannel(name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data as TabMessage);
    // It is released when this tab is gone, for whatever reason: that is how the leader notices.
    const begin = (): void => {
      this.#isPresent = true;
      this.want();
      this.#elect(false);
      this.#watch();
    };
    this.#hold(`${name} ${this.#id}`, false, begin, begin);
  }

  /** Tells the leader which channels this tab follows, if it does not know. */
  want(): void {
    if (this.handover !== null || !this.#isPresent) return;
    const { router, returning, isIdle } = this.#lane;
    const { wanted } = router;
    for (const line of [...router.guests, ...returning]) for (const channel of line.channels) wanted.add(channel);
    const channels = isIdle ? null : [...wanted];
    const isNewHere = this.#seen === null;
    const told = JSON.stringify([this.#fence, channels]);
    if (isNewHere ? !this.#mayAsk() : told === this.#told) return;
    this.#told = told;
    this.#post({ kind: "want", from: this.#id, channels, isNew: isNewHere, fence: this.#fence });
  }

  /** Messages that arrive in a burst ask once. */
  #mayAsk(): boolean {
    const now = this.#context.environment.now();
    if (now - this.#askedAt < askAgainMs) return false;
    this.#askedAt = now;
    return true;
  }

  close(): void {
    this.#post({ kind: "leave", from: this.#id });
    this.#stepDown();
    this.#cancelTimer();
    this.#abort.abort();
    this.#channel.onmessage = null;
    this.#channel.close();
  }

  get #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  #post(message: TabMessage): void {
    if (!this.#isClosed) this.#channel.postMessage(message);
  }

  // --- election ---

  /** Holds a lock until the session ends or another tab takes it. */
  #hold(name: string, steal: boolean, onHeld: () => void, onFailed: () => void, onLost: () => void = () => {}): void {
    const { signal } = this.#abort;
    let isOver = false;
    const hold = (): Promise<void> => {
      if (signal.aborted || isOver) return Promise.resolve();
      onHeld();
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    };
    // A request that takes the lock of another cannot be withdrawn.
    const held = this.#runtime.locks.request(name, steal ? { steal } : { signal }, hold);
    held.catch((error: Error) => {
      isOver = true;
      if (signal.aborted) return;
      if (error.name === "AbortError") onLost();
      else onFailed();
    });
  }

  #elect(steal: boolean): void {
    const onLost = (): void => {
      this.#stepDown();
      this.#elect(false);
      this.want();
    };
    // Without locks, terms alone decide.
    const lead = (): void => this.#lead();
    this.#hold(this.#name, steal, lead, lead, onLost);
  }

  /** The lock is this tab's. A tab that was elected before may have seen a later term than this one. */
  #lead(): void {
    this.#gathered = [];
    this.#post({ kind: "who", from: this.#id });
    this.#after(gatherMs, () => {
      const { environment } = this.#context;
      const { router } = this.#lane;
      this.#fence = [Math.max(this.#fence[0] + 1, environment.toUnixTime(environment.now())), this.#id];
      this.#seen = 0;
      this.#ring = [];
      this.#ringWeight = 0;
      // A tab that has just opened continues the stream of the others.
      const latest = this.#gathered.reduce<StreamSnapshot | null>(later, null);
      if (router.cursor === "" && latest !== null) router.restore(latest);
      this.handover = new Handover(this, this.#context);
      this.#tell({ kind: "lead", cursor: router.cursor });
      if (router.routes.size > 0) this.handover.update();
    });
  }

  #stepDown(): void {
    this.handover?.close();
    this.handover = null;
    this.#seen = null;
    this.isOpen = false;
    for (const line of this.#remotes.values()) this.#lane.router.routes.delete(line);
    this.#remotes.clear();
    this.#watch();
  }

  /** Checks from time to time that the leader is there. Timers of hidden pages are late, answers are not. */
  #watch(): void {
    this.#after(Math.max(answerMs, silentMs - this.#silence), () => {
      // The leader may have missed a message, too.
      if ([...this.#lane.router.routes].some(({ carried }) => !carried)) this.#told = "";
      this.want();
      if (this.#silence < silentMs) return this.#watch();
      this.#post({ kind: "ping", from: this.#id });
      this.#after(answerMs, () => {
        if (this.#silence >= silentMs) this.#elect(true);
        else this.#watch();
      });
    });
  }

  get #silence(): number {
    return this.#context.environment.now() - this.#heardAt;
  }

  #after(milliseconds: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#isClosed ? () => {} : this.#context.environment.after(milliseconds, callback);
  }

  // --- messages ---

  #onMessage(message: TabMessage): void {
    if ("to" in message && message.to !== this.#id) return;
    switch (message.kind) {
      case "who":
        if (this.handover === null)
          this.#post({ kind: "stream", from: this.#id, stream: this.#lane.router.snapshot() });
        return;
      case "stream":
        this.#gathered.push(message.stream);
        return;
      case "want":
        // This tab has been elected, and has not seen the terms of others.
        if (this.handover === null && message.fence[0] > this.#fence[0]) this.#fence = [message.fence[0], ""];
        if (this.handover === null) return;
        this.#serve(message.from, message.channels);
        if (message.isNew) this.#welcome(message.from);
        return;
      case "leave":
        this.#forget(message.from);
        return;
      case "ping":
        if (this.handover !== null) this.#tell({ kind: "here" });
        return;
      case "again":
        if (this.handover !== null) this.#repeat(message.from, message.after);
        return;
      default:
        this.#follow(message);
    }
  }

  #follow(message: FromLeader): void {
    const { fence, number, news } = message;
    if (isNewer(this.#fence, fence)) return;
    this.#heardAt = this.#context.environment.now();
    if (isNewer(fence, this.#fence)) {
      if (this.handover !== null) this.#stepDown();
      this.#fence = fence;
      this.#seen = null;
    }
    if (news.kind === "lead" || news.kind === "welcome") {
      this.#seen = number;
      this.#begin(news);
      this.#askedAt = Number.NEGATIVE_INFINITY;
    } else if (news.kind === "repeat") {
      this.#askedAt = Number.NEGATIVE_INFINITY;
      for (const one of news.messages) if (one.number === (this.#seen ?? Number.NaN) + 1) this.#take(one);
    } else if ("to" in message) this.#apply(news);
    else if (this.#seen === null) this.want();
    else if (news.kind === "here" ? number === this.#seen : number === this.#seen + 1) this.#take(message);
    else if (number > this.#seen && this.#mayAsk()) this.#post({ kind: "again", from: this.#id, after: this.#seen });
  }

  #take({ number, news }: FromLeader): void {
    this.#seen = number;
    this.#apply(news);
  }

  /** A leader begins, or this tab begins to follow it. Lines that have missed events catch up on their own connections. */
  #begin(news: Extract<LeaderNews, { kind: "lead" | "welcome" }>): void {
    const { router } = this.#lane;
    const before = router.cursor;
    const cursor = news.kind === "lead" ? news.cursor : news.snapshot.cursor;
    this.isOpen = false;
    const begins = (at: Position | null): boolean => before !== "" && isNew(at, parseCursor(before));
    if (begins(parseCursor(cursor))) this.#detach(null);
    if (news.kind === "welcome") {
      const { snapshot, state, isStale } = news;
      const hasMissed = snapshot.origin !== null && begins(snapshot.origin);
      this.#detach(hasMissed ? null : new Set(snapshot.held));
      const waiting = [...router.routes].filter(({ carried }) => !carried);
      router.restore(snapshot);
      this.#setState(state, isStale);
      this.isOpen = state?.phase === "open" && news.isOpen;
      for (const line of waiting) if (line.carried) line.handlers.onOpen();
      this.#lane.show();
    }
    this.want();
  }

  /**
   * Lines whose channels the stream does not resume continue on their own, until they have caught up with it.
   *
   * @param held The channels that it resumes, `null` if it resumes none.
   */
  #detach(held: ReadonlySet<string> | null): void {
    const { router } = this.#lane;
    const { cursor } = router;
    for (const line of [...router.routes]) {
      if (router.isComplete(line) && isSubset(line.channels, held)) continue;
      if (router.isComplete(line) && cursor !== "") this.#lane.detach(line, cursor, true);
      else line.carried = false;
    }
  }

  #apply(news: LeaderNews): void {
    switch (news.kind) {
      case "state":
        this.#setState(news.state, news.isStale);
        this.#lane.show();
        break;
      case "open": {
        const request = unpackRequest(news.request);
        this.#detach(request.held);
        this.isOpen = true;
        this.#lane.open(request);
        break;
      }
      case "event":
        this.#lane.receive(news.event);
        break;
      case "comment":
        this.#context.limit = readChannelLimit(news.text) ?? this.#context.limit;
        this.#lane.comment(news.text);
        break;
      case "reject":
        this.#lane.reject(unpackRequest(news.request), news.by, unpackError(news.error));
        this.want();
        break;
      case "end":
        this.#lane.end(unpackRequest(news.request), news.by, unpackError(news.error));
        break;
      case "part":
        // Without a position, a line has received nothing that it could continue after.
        if (this.#lane.router.cursor === "") for (const line of this.#lane.router.routes) line.carried = false;
        this.#lane.part();
        break;
    }
  }

  #setState(state: ReturnType<typeof packState> | null, isStale: boolean): void {
    this.state = state === null ? null : unpackState(state, this.#context.environment);
    this.isStale = isStale;
    if (state?.phase !== "open") this.isOpen = false;
  }

  // --- the leader ---

  /** Posts news to all tabs, or to one. Those to all are numbered, so that a tab notices that it has missed some. */
  #tell(news: LeaderNews, to?: string): void {
    const isCounted = to === undefined && news.kind !== "here";
    if (isCounted) this.#seen = (this.#seen ?? 0) + 1;
    const message: FromLeader = { kind: "news", fence: this.#fence, number: this.#seen ?? 0, news };
    if (isCounted) {
      this.#ring.push(message);
      this.#ringWeight += weightOf(message);
      while (this.#ring.length > ringSize || this.#ringWeight > ringCharacters) {
        this.#ringWeight -= weightOf(this.#ring.shift() as FromLeader);
      }
    }
    this.#post(to === undefined ? message : { ...message, to });
  }

  /** The channels of a tab are a line on the lane, which receives nothing here. */
  #serve(tab: string, channels: readonly string[] | null): void {
    const before = this.#remotes.get(tab);
    if (channels === null) {
      this.#forget(tab);
      return;
    }
    const isKnown = before !== undefined && channels.length === before.channels.size;
    if (isKnown && channels.every((channel) => before.channels.has(channel))) return;
    if (before === undefined) this.#forgetWhenGone(tab);
    const line = this.#remoteLine(tab, channels);
    if (this.#lane.accepts(line, this.#context.limit)) {
      this.#remotes.set(tab, line);
      this.#lane.add(line);
      if (before !== undefined) this.#lane.remove(before);
    } else this.#tell({ kind: "part" }, tab);
  }

  /** Gives a tab the state of the stream, from which it follows. */
  #welcome(tab: string): void {
    const { handover } = this;
    if (handover === null) return;
    const { state, isStale, isOpen } = handover;
    const packed = state && packState(state, this.#context.environment);
    this.#tell({ kind: "welcome", snapshot: this.#lane.router.snapshot(), state: packed, isStale, isOpen }, tab);
  }

  #remoteLine(tab: string, channels: readonly string[]): Line {
    const { options, environment } = this.#context;
    const line: Line = new Line({ ...options, channels, after: "" }, environment, {
      onState: ({ phase, closedBy, error }) => {
        if (phase !== "closed" || this.#remotes.get(tab) !== line) return;
        this.#remotes.delete(tab);
        const request = { held: [...channels], joining: [], label: true, cursor: "" };
        this.#tell({ kind: "reject", request, by: closedBy ?? "failed", error: packError(error) }, tab);
      },
      onOpen: () => {},
      onEvent: () => {},
      onComment: () => {},
      ready: () => undefined,
      isFull: () => false,
      overflow: () => {},
    });
    return line;
  }

  #forgetWhenGone(tab: string): void {
    const { signal } = this.#abort;
    const forget = async (): Promise<void> => this.#forget(tab);
    this.#runtime.locks.request(`${this.#name} ${tab}`, { signal }, forget).catch(() => {});
  }

  #forget(tab: string): void {
    const line = this.#remotes.get(tab);
    if (line === undefined) return;
    this.#remotes.delete(tab);
    this.#lane.remove(line);
  }

  /** Sends what a tab has missed, or else the state of the stream, from which it catches up. */
  #repeat(tab: string, after: number): void {
    const messages = this.#ring.filter(({ number }) => number > after);
    if (messages[0]?.number === after + 1) this.#tell({ kind: "repeat", messages }, tab);
    else this.#welcome(tab);
  }

  /** Tabs whose channels this connection cannot have get connections of their own. */
  #dismiss(isDismissed: (line: Line) => boolean): boolean {
    const dismissed = [...this.#remotes].filter(([, line]) => isDismissed(line));
    for (const [tab, line] of dismissed) {
      this.#remotes.delete(tab);
      this.#lane.router.routes.delete(line);
      this.#tell({ kind: "part" }, tab);
    }
    return dismissed.length > 0;
  }

  // --- UpstreamOwner: everything goes to all tabs, and to the lane of this one ---

  get router(): Lane["router"] {
    return this.#lane.router;
  }

  get isIdle(): boolean {
    return this.#lane.isIdle;
  }

  open(request: StreamRequest): void {
    this.#tell({ kind: "open", request: packRequest(request) });
    this.#lane.open(request);
  }

  receive(event: ParsedEvent): void {
    this.#tell({ kind: "event", event });
    this.#lane.receive(event);
  }

  comment(text: string): void {
    this.#tell({ kind: "comment", text });
    this.#lane.comment(text);
  }

  ready(): Promise<unknown> | undefined {
    return this.#lane.ready();
  }

  show(): void {
    const { handover } = this;
    if (handover?.state) {
      const state = packState(handover.state, this.#context.environment);
      this.#tell({ kind: "state", state, isStale: handover.isStale });
    }
    this.#lane.show();
  }

  reject(request: StreamRequest | null, by: ClosedBy, error: unknown): void {
    this.#lane.reject(request, by, error);
  }

  end(request: StreamRequest | null, by: ClosedBy, error: unknown): void {
    this.#tell({ kind: "end", request: request && packRequest(request), by, error: packError(error) });
    for (const line of this.#remotes.values()) this.#lane.router.routes.delete(line);
    this.#remotes.clear();
    this.#lane.end(request, by, error);
  }

  part(): void {
    this.#dismiss(({ carried }) => !carried);
    this.#lane.part();
  }

  split(): boolean {
    return this.#dismiss(() => true) || this.#lane.split();
  }

  shut(): void {
    this.#lane.shut();
  }
}

function later(one: StreamSnapshot | null, other: StreamSnapshot): StreamSnapshot {
  return one === null || isNew(parseCursor(other.cursor), parseCursor(one.cursor)) ? other : one;
}

function weightOf({ news }: FromLeader): number {
  return news.kind === "event" ? news.event.data.length : 0;
}

function isSubset(channels: ReadonlySet<string>, of: ReadonlySet<string> | null): boolean {
  return of !== null && [...channels].every((channel) => of.has(channel));
}
