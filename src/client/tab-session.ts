// One tab among the tabs of a browser, as long as its page is shown: it follows the stream of the leader, or leads.
import type { TabChannel, TabRuntime } from "./environment.ts";
import type { Handover } from "./handover.ts";
import type { Lane } from "./lane.ts";
import type { ReconnectState } from "./reconnect.ts";
import type { StreamSnapshot } from "./stream-request.ts";
import { detachLines, detachMissing, detachUnresumed, latestStream } from "./tab-catch-up.ts";
import { Election, type TabRole } from "./tab-election.ts";
import { Leader } from "./tab-leader.ts";
import {
  type Fence,
  type FromLeader,
  isNewer,
  type LeaderNews,
  type PackedState,
  type TabMessage,
  type TabRequest,
  unpackError,
  unpackState,
} from "./tab-messages.ts";
import type { TabContext } from "./tab-parts.ts";
import { askInTime, Questions } from "./tab-questions.ts";
import { answerMs, askAgainMs, gatherMs, silentMs, workerMs } from "./tab-times.ts";

/** The time in which a page is shown: it may be put away, and come back with another session. */
export class Session {
  /** Not null while this tab leads. */
  #leader: Leader | null = null;
  /** The state of the leader's connection, while this tab follows. */
  state: ReconnectState | null = null;
  isOpen = false;
  /** Other tabs show `connecting` for a line that waits. Only the leader knows more. */
  readonly nextState = null;
  readonly #lane: Lane;
  readonly #context: TabContext;
  readonly #election: Election;
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
  readonly #questions: Questions;
  readonly #role: TabRole;
  /** The streams of other tabs, while this one has been elected and gathers them. */
  #gathered: StreamSnapshot[] = [];

  constructor(lane: Lane, context: TabContext, runtime: TabRuntime, name: string, role: TabRole) {
    this.#lane = lane;
    this.#context = context;
    this.#role = role;
    this.#id = context.environment.random().toString(36).slice(2);
    this.#heardAt = context.environment.now();
    this.#channel = runtime.openChannel(name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data as TabMessage);
    this.#questions = new Questions(context, this.#id, (message) => this.#post(message));
    this.#election = new Election(runtime, name, this.#abort.signal, {
      onPresent: () => {
        this.#isPresent = true;
        this.update();
        if (role === "worker") this.#election.takeOver();
        else {
          this.#after(role === "guest" ? workerMs : 0, () => {
            this.#election.stand();
            this.#watch();
          });
        }
      },
      onElected: () => this.#lead(),
      onLost: () => {
        this.#stepDown();
        this.update();
      },
    });
    this.#election.enter(this.#id);
  }

  /** Asks the tabs that this one serves, one after the other, for the parts of a request that the application decides. */
  ask(): Promise<TabRequest> {
    return this.#questions.ask(this.#leader?.tabs ?? []);
  }

  /** The connections, while this tab leads. */
  get handover(): Handover | null {
    return this.#leader?.handover ?? null;
  }

  /** A line is about to move to the shared stream: its channels are wanted there. */
  handOver(): void {
    this.update();
  }

  /** Tells the leader which channels this tab follows, if it does not know. */
  update(): void {
    if (this.#leader !== null || !this.#isPresent) return;
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

  /** Asks the leader for another connection. */
  reconnect(): void {
    this.#post({ kind: "reconnect" });
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
    this.#channel.close();
  }

  #post(message: TabMessage): void {
    if (!this.#abort.signal.aborted) this.#channel.postMessage(message);
  }

  // --- election ---

  /** The lock is this tab's. A tab that was elected before may have seen a later term than this one. */
  #lead(): void {
    this.#gathered = [];
    this.#post({ kind: "who", from: this.#id });
    this.#after(gatherMs, () => {
      const { environment } = this.#context;
      this.#fence = [Math.max(this.#fence[0] + 1, environment.toUnixTime(environment.now())), this.#id];
      this.#seen = 0;
      // A tab that has just opened continues the stream of the others.
      const latest = latestStream(this.#gathered, this.#context.parts);
      if (this.#lane.router.cursor === "" && latest !== undefined) this.#lane.restore(latest);
      const link = { post: (message: TabMessage) => this.#post(message), election: this.#election };
      this.#leader?.close();
      // The functions of a worker ask the tabs themselves.
      const options = this.#role === "worker" ? this.#context.options : askInTime(this.#context, () => this.ask());
      this.#leader = new Leader(this.#lane, this.#context, options, link, this.#fence);
      this.#leader.begin();
    });
  }

  #stepDown(): void {
    this.#leader?.close();
    this.#leader = null;
    this.#seen = null;
    this.isOpen = false;
    this.#watch();
  }

  /** Checks from time to time that the leader is there. Timers of hidden pages are late, answers are not. */
  #watch(): void {
    this.#after(Math.max(answerMs, silentMs - this.#silence), () => {
      // The leader may have missed a message, too, and no status shows whether it has.
      this.#told = "";
      this.update();
      if (this.#silence < silentMs) return this.#watch();
      this.#post({ kind: "ping", from: this.#id });
      this.#after(answerMs, () => {
        if (this.#silence >= silentMs) this.#election.takeOver();
        else this.#watch();
      });
    });
  }

  get #silence(): number {
    return this.#context.environment.now() - this.#heardAt;
  }

  #after(milliseconds: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#abort.signal.aborted ? () => {} : this.#context.environment.after(milliseconds, callback);
  }

  // --- messages ---

  #onMessage(message: TabMessage): void {
    if ("to" in message && message.to !== this.#id) return;
    switch (message.kind) {
      case "who":
        if (this.#leader === null) this.#post({ kind: "stream", from: this.#id, stream: this.#lane.router.snapshot() });
        break;
      case "stream":
        this.#gathered.push(message.stream);
        break;
      case "ask":
      case "answer":
        this.#questions.receive(message);
        break;
      case "news":
        this.#follow(message);
        break;
      default:
        // A tab that has just been elected has not seen the terms of others.
        if (message.kind === "want" && this.#leader === null && message.fence[0] > this.#fence[0]) {
          this.#fence = [message.fence[0], ""];
        }
        this.#leader?.answer(message);
    }
  }

  #follow(message: FromLeader): void {
    const { fence, number, news } = message;
    if (isNewer(this.#fence, fence)) return;
    this.#heardAt = this.#context.environment.now();
    if (isNewer(fence, this.#fence)) {
      if (this.#leader !== null) this.#stepDown();
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
    else if (this.#seen === null) this.update();
    else if (news.kind === "here" ? number === this.#seen : number === this.#seen + 1) this.#take(message);
    else if (number > this.#seen && this.#mayAsk()) this.#post({ kind: "again", from: this.#id, after: this.#seen });
  }

  #take({ number, news }: FromLeader): void {
    this.#seen = number;
    this.#apply(news);
  }

  /** A leader begins, or this tab begins to follow it. Lines that have missed events catch up on their own connections. */
  #begin(news: Extract<LeaderNews, { kind: "lead" | "welcome" }>): void {
    this.isOpen = false;
    detachMissing(this.#lane, news, this.#context.parts);
    if (news.kind === "welcome") {
      this.#lane.restore(news.snapshot);
      this.#setState(news.state);
      this.isOpen = news.state?.phase === "open" && news.isOpen;
      this.#lane.show();
    }
    this.update();
  }

  #apply(news: LeaderNews): void {
    switch (news.kind) {
      case "state":
        this.#setState(news.state);
        this.#lane.show();
        break;
      case "open":
        detachUnresumed(this.#lane, news.request, this.#context.parts);
        this.isOpen = true;
        this.#lane.open(news.request);
        break;
      case "event":
        this.#lane.receive(news.event);
        break;
      case "comment":
        this.#context.limit = news.limit;
        this.#lane.comment(news.text);
        break;
      case "reject":
        this.#lane.reject(news.request, news.by, unpackError(news.error, this.#context));
        this.update();
        break;
      case "end":
        this.#lane.end(news.request, news.by, unpackError(news.error, this.#context));
        break;
      case "part":
        // Without a position, a line has received nothing that it could continue after. And no stream may ever open here.
        if (this.#lane.router.cursor === "" || !this.isOpen) detachLines(this.#lane, null);
        this.#lane.part();
        break;
    }
  }

  #setState(state: PackedState | null): void {
    this.state = state === null ? null : unpackState(state, this.#context);
    if (state?.phase !== "open") this.isOpen = false;
  }
}
