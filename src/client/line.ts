// A subscription's line: its place on a connection, which it may share with others, and leave for one of its own.
import type { Position } from "../wire/cursor.ts";
import { parseCursor } from "../wire/cursor.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import type { Environment } from "./environment.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import { type ClosedBy, initialState, type ReconnectState } from "./reconnect.ts";
import type { Route } from "./stream-request.ts";

/**
 * The callbacks of a line, in the order of the stream. No event and no comment follows the phase `closed`. A line that stands for
 * another tab has the first one alone.
 */
export interface LineHandlers {
  /** Called whenever the connection that serves the line changes its state, and when the line moves to another one. */
  onState(state: ReconnectState): void;
  /** A stream that has all channels of the line has opened. */
  onOpen?(): void;
  /** An event of the line's channels. None comes for the second time, whichever connection brings it. */
  onEvent?(event: ParsedEvent): void;
  onComment?(text: string): void;
  /** Resolves when more may be read; `undefined` for at once. A loop that is full counts unless the connection is shared. */
  ready?(isShared: boolean): Promise<void> | undefined;
  /** Whether a loop is full. */
  isFull?(): boolean;
  /** A full loop cannot wait, because the stream has no position to continue at: it drops, and reports the loss. */
  overflow?(): void;
}

/**
 * One subscription, as the connections see it. It stays the same while it moves from one connection to another: it knows its
 * channels and the position up to which it was delivered, so no connection has to know of another.
 */
export class Line implements Route {
  readonly options: ResolvedSubscribeOptions;
  readonly environment: Environment;
  readonly handlers: LineHandlers;
  /** Channels that end are removed: the subscription is over when none is left. */
  readonly channels: Set<string>;
  /** The position up to which the subscription has received its channels, `null` for a new client. */
  position: Position | null;
  /** A stream with all of its channels has opened, so the line has its state, or gets it now. */
  carried = false;
  /** A full loop has taken it off a shared connection. It does not return, since it would be full again. */
  isDetached = false;
  /** Whether a line that comes late opens a connection for the state of its channels. One that stands for another tab does not. */
  needsState = true;
  /** The connection that serves this line at present. */
  lane: LineOwner | null = null;
  state: ReconnectState;

  constructor(options: ResolvedSubscribeOptions, environment: Environment, handlers: LineHandlers) {
    this.options = options;
    this.environment = environment;
    this.handlers = handlers;
    this.channels = new Set(options.channels);
    this.position = parseCursor(options.after);
    this.state = initialState(environment.now(), options.defaultRetry);
  }

  /** Whether the subscription has ended. Nothing is delivered to it any more. */
  get isClosed(): boolean {
    return this.state.phase === "closed";
  }

  /** The position of a line that has received everything so far; `""` if that is not known. */
  get cursor(): string {
    return this.lane?.router.cursorOf(this) ?? "";
  }

  /** Ends the subscription, and tells it. An open stream counts as healthy, as in any status. */
  close(by: ClosedBy, error?: unknown): void {
    const { state } = this;
    const attempt = state.phase === "open" ? 0 : state.attempt;
    this.show({ ...state, phase: "closed", attempt, closedBy: by, error });
  }

  /** Shows the state of the connection to the subscription. */
  show(state: ReconnectState): void {
    if (this.isClosed) return;
    this.state = state;
    if (state.phase === "closed") this.lane?.remove(this);
    this.handlers.onState(state);
  }
}

/** The connection that serves a line. */
interface LineOwner {
  readonly router: { cursorOf(line: Line): string };
  readonly isShared: boolean;
  remove(line: Line): void;
  reconnect(): void;
}
