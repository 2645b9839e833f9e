// The tab that has the connection: it serves the other tabs, and posts everything that the connections bring.
import type { ParsedEvent } from "../wire/parse.ts";
import type { Handover } from "./handover.ts";
import type { Lane } from "./lane.ts";
import type { Line } from "./line.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import type { ClosedBy } from "./reconnect.ts";
import type { StreamRequest } from "./stream-request.ts";
import type { Election } from "./tab-election.ts";
import {
  type Fence,
  type FromLeader,
  type LeaderNews,
  packError,
  packRequest,
  packState,
  type TabMessage,
  type ToLeader,
} from "./tab-messages.ts";
import type { TabContext } from "./tab-parts.ts";
import type { UpstreamOwner } from "./upstream.ts";

/** Messages that are kept for tabs that have missed some, and the characters of data in them. */
const ringSize = 256;
const ringCharacters = 1_000_000;

/**
 * Leads for one term. The channels of each other tab are a line on the lane of this one, which receives nothing here. So the
 * connection follows what all tabs follow, and a tab that is rejected is told so like any line.
 */
export class Leader implements UpstreamOwner {
  readonly handover: Handover;
  readonly #lane: Lane;
  readonly #context: TabContext;
  readonly #link: LeaderLink;
  readonly #fence: Fence;
  /** The number of the last message to all tabs. A tab that sees a higher one than the next has missed some. */
  #number = 0;
  /** The lines of the other tabs. */
  readonly #remotes = new Map<string, Line>();
  /** The last messages, for tabs that have missed some. */
  #ring: FromLeader[] = [];
  /** Characters of data in the ring. */
  #ringWeight = 0;

  constructor(lane: Lane, context: TabContext, options: ResolvedSubscribeOptions, link: LeaderLink, fence: Fence) {
    this.#lane = lane;
    this.#context = context;
    this.#link = link;
    this.#fence = fence;
    this.handover = new context.parts.Handover(this, context, options);
  }

  /** The tabs that it serves. The latest ones come first: they are the least likely to be frozen. */
  get tabs(): string[] {
    return [...this.#remotes.keys()].reverse();
  }

  /** Begins the term. The other tabs answer with their channels. */
  begin(): void {
    this.tell({ kind: "lead", cursor: this.router.cursor });
    if (this.router.routes.size > 0) this.handover.update();
  }

  /** Ends the term. The tabs stay on this lane's router only as long as this tab leads. */
  close(): void {
    this.handover.close();
    for (const line of this.#remotes.values()) this.router.routes.delete(line);
    this.#remotes.clear();
  }

  /** Posts news to all tabs, or to one. Those to all are numbered, apart from the answer that the leader is there. */
  tell(news: LeaderNews, to?: string): void {
    const isCounted = to === undefined && news.kind !== "here";
    if (isCounted) this.#number++;
    const message: FromLeader = { kind: "news", fence: this.#fence, number: this.#number, news };
    if (isCounted) this.#keep(message);
    this.#link.post(to === undefined ? message : { ...message, to });
  }

  /** The ring is bounded by its data too: an event may have 16 MB. */
  #keep(message: FromLeader): void {
    this.#ring.push(message);
    this.#ringWeight += weightOf(message);
    while (this.#ring.length > ringSize || this.#ringWeight > ringCharacters) {
      this.#ringWeight -= weightOf(this.#ring.shift() as FromLeader);
    }
  }

  /** A message of another tab. */
  answer(message: ToLeader): void {
    if (message.kind === "want") {
      this.#serve(message.from, message.channels);
      if (message.isNew) this.#welcome(message.from);
    } else if (message.kind === "leave") this.#forget(message.from);
    else if (message.kind === "ping") this.tell({ kind: "here" });
    else if (message.kind === "again") this.#repeat(message.from, message.after);
    else if (message.kind === "reconnect") this.handover.reconnect();
  }

  /** A tab follows other channels than before; null for nothing. Its new line is added before the old one leaves. */
  #serve(tab: string, channels: readonly string[] | null): void {
    const before = this.#remotes.get(tab);
    if (channels === null) {
      this.#forget(tab);
      return;
    }
    // A tab tells its channels again when it has had no news for long, which changes nothing.
    const isKnown = before !== undefined && channels.length === before.channels.size;
    if (isKnown && channels.every((channel) => before.channels.has(channel))) return;
    if (before === undefined) this.#link.election.onceGone(tab, () => this.#forget(tab));
    const line = this.#remoteLine(tab, channels);
    if (this.#lane.accepts(line, this.#context.limit)) {
      this.#remotes.set(tab, line);
      this.#lane.add(line);
      if (before !== undefined) this.#lane.remove(before);
    } else this.tell({ kind: "part" }, tab);
  }

  /** Gives a tab the state of the stream, from which it follows. */
  #welcome(tab: string): void {
    const { state, isOpen } = this.handover;
    const packed = state && packState(state, this.#context.environment);
    this.tell({ kind: "welcome", snapshot: this.#lane.router.snapshot(), state: packed, isOpen }, tab);
  }

  /** A line of another tab. Its only effect here is that a rejection reaches that tab. */
  #remoteLine(tab: string, channels: readonly string[]): Line {
    const { options, environment, parts } = this.#context;
    const line: Line = new parts.Line({ ...options, channels, after: "" }, environment, {
      onState: ({ phase, closedBy, error }) => {
        if (phase !== "closed" || this.#remotes.get(tab) !== line) return;
        this.#remotes.delete(tab);
        const held = new Set(channels);
        const request = { held, joining: new Set<string>(), label: true, cursor: "", guests: [] };
        this.tell({ kind: "reject", request, by: closedBy ?? "failed", error: packError(error) }, tab);
      },
    });
    line.needsState = false;
    return line;
  }

  /** A tab has left, or is gone. */
  #forget(tab: string): void {
    const line = this.#remotes.get(tab);
    if (line === undefined) return;
    this.#remotes.delete(tab);
    this.#lane.remove(line);
  }

  /** Sends what a tab has missed, or else the state of the stream, from which it catches up. */
  #repeat(tab: string, after: number): void {
    const messages = this.#ring.filter(({ number }) => number > after);
    if (messages[0]?.number === after + 1) this.tell({ kind: "repeat", messages }, tab);
    else this.#welcome(tab);
  }

  /** Tabs whose channels this connection cannot have get connections of their own. @returns Whether there were any. */
  #dismiss(isDismissed: (line: Line) => boolean): boolean {
    const dismissed = [...this.#remotes].filter(([, line]) => isDismissed(line));
    for (const [tab, line] of dismissed) {
      this.#remotes.delete(tab);
      this.#lane.router.routes.delete(line);
      this.tell({ kind: "part" }, tab);
    }
    return dismissed.length > 0;
  }

  // --- UpstreamOwner: everything goes to all tabs, and to the lane of this one ---

  get router(): Lane["router"] {
    return this.#lane.router;
  }

  /** Lines of other tabs count: a tab without subscriptions leads on as long as its page is open. */
  get isIdle(): boolean {
    return this.#lane.isIdle;
  }

  /** The other tabs learn of a stream before any of its events, in the order in which messages arrive. */
  open(request: StreamRequest): void {
    this.tell({ kind: "open", request: packRequest(request) });
    this.#lane.open(request);
  }

  /** The event as it was parsed: each tab decodes and validates under its own contract. */
  receive(event: ParsedEvent): void {
    this.tell({ kind: "event", event });
    this.#lane.receive(event);
  }

  /** Comments carry the keep-alive interval and the limit of channels, which every tab needs. */
  comment(text: string): void {
    this.tell({ kind: "comment", text, limit: this.#context.limit });
    this.#lane.comment(text);
  }

  /** Other tabs cannot slow down the connection: a loop of theirs that is full leaves it. */
  ready(): Promise<unknown> | undefined {
    return this.#lane.ready();
  }

  /** Posted to tabs of hidden pages, too: their status is right when they are shown. */
  show(): void {
    const { state } = this.handover;
    if (state !== null) this.tell({ kind: "state", state: packState(state, this.#context.environment) });
    this.#lane.show();
  }

  /** Lines of other tabs are rejected with the others, and tell their tabs. */
  reject(request: StreamRequest | null, by: ClosedBy, error: unknown): void {
    this.#lane.reject(request, by, error);
  }

  /** The end concerns all tabs. Their lines here go first, so that none is placed on another connection. */
  end(request: StreamRequest | null, by: ClosedBy, error: unknown): void {
    this.tell({ kind: "end", request: request && packRequest(request), by, error: packError(error) });
    for (const line of this.#remotes.values()) this.#lane.router.routes.delete(line);
    this.#remotes.clear();
    this.#lane.end(request, by, error);
  }

  /** Tabs with lines that wait get their own connections, as such lines of this tab do. */
  part(): void {
    this.#dismiss(({ carried }) => !carried);
    this.#lane.part();
  }

  /** The lines of this tab stay, if they fit without those of other tabs. */
  split(): boolean {
    return this.#dismiss(() => true) || this.#lane.split();
  }

  crowded(): void {
    this.#lane.crowded();
  }

  shut(): void {
    this.#lane.shut();
  }
}

/** Only events can be large. */
function weightOf({ news }: FromLeader): number {
  return news.kind === "event" ? news.event.data.length : 0;
}

/** The way to the other tabs. */
interface LeaderLink {
  post(message: TabMessage): void;
  readonly election: Pick<Election, "onceGone">;
}
