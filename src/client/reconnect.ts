// When a client connects, waits, reconnects and gives up: a pure state machine, without timers and without I/O.
//
// `step()` takes a state and an input and gives the next state. The runner acts on the change: a higher
// `connection` number means that a new connection opens in place of the one before, and `dueAt()` says when the next `tick`
// is to come. Times are milliseconds of any monotonic clock.

/** The phases of a client. While `waiting`, there is no connection and the next attempt has a time. */
export type Phase = "connecting" | "open" | "waiting" | "closed";

/** Why a client is closed for good. */
export type ClosedBy = "closed" | "aborted" | "ended" | "failed";

export interface ReconnectState {
  readonly phase: Phase;
  /** Counts the connections. Each attempt is a new one. */
  readonly connection: number;
  /** Attempts since the stream was last healthy; 0 while it is. */
  readonly attempt: number;
  /** When the phase began. */
  readonly since: number;
  /** When the next attempt is due, while waiting. */
  readonly retryAt: number;
  /** Until then the server does not want to see this client, whatever happens here. */
  readonly notBefore: number;
  /** The last bytes, while open. */
  readonly lastByteAt: number;
  /** The server's own keep-alive interval, where it announced one. */
  readonly keepAlive: number | null;
  /** Reading is paused by a consumer: no bytes are expected. */
  readonly paused: boolean;
  /** Idle for suspiciously long, while open. */
  readonly stale: boolean;
  /** The server's reconnection time, for every wait. */
  readonly retryFloor: number;
  /** A longer time that the server asked for once: `retry-after`, `sse:later`. */
  readonly laterFloor: number;
  /** The headers were asked for once more, after a 401 or 403. */
  readonly reauthorized: boolean;
  /** Why it is waiting or closed, where an error was the reason. */
  readonly error: unknown;
  readonly closedBy: ClosedBy | null;
}

/** The settings of the machine, in milliseconds, and the policy. */
export interface ReconnectSettings {
  /** How long a connection may take to open. */
  readonly connectTimeout: number;
  /** How long an open stream may be idle where the server has announced no keep-alive. */
  readonly idleTimeout: number;
  /** The reconnection time until the server names one. */
  readonly defaultRetry: number;
  /**
   * The state after a connection that is gone, or could not be opened: another one opens, or the client waits, or closes.
   *
   * @param random From 0 to 1, for the jitter of a delay.
   */
  lose(state: ReconnectState, loss: Loss, now: number, random: number): ReconnectState;
}

/** How a connection was lost. */
export interface Loss {
  /** The meaning of the response or of the failure. A stream that ends has none. */
  readonly kind?: "final" | "unauthorized" | "retry";
  readonly error?: unknown;
  /** The time that a response asked for. */
  readonly retryAfter?: number;
  /** The runtime reports that it is offline. */
  readonly offline?: boolean;
  /** The limit that the machine itself has applied, to the opening of a connection or to its idle time. */
  readonly timedOut?: number;
}

export type ReconnectInput =
  /** The response has arrived and is an event stream. */
  | { readonly type: "opened" }
  /** Bytes have arrived, comments included, or reading was paused or continues: idle time begins again. */
  | { readonly type: "bytes"; readonly told?: Told }
  /** The connection has ended or failed, or could not be opened. */
  | ({ readonly type: "lost" } & Loss)
  /** The page became visible, the network came back, the machine woke up: timers may have slept. */
  | { readonly type: "wake"; readonly online: boolean }
  /** The owner changes the state by a function of the state and the time. */
  | { readonly type: "change"; readonly change: Change }
  | { readonly type: "tick" }
  /** The page is put away; `wake` brings the connection back. */
  | { readonly type: "suspend" }
  | { readonly type: "close"; readonly by: ClosedBy; readonly error?: unknown };

/** A state from another one, and from the time. */
export type Change = (state: ReconnectState, now: number) => ReconnectState;

/** The parts of the state that an open stream decides. */
export type Told = Partial<Pick<ReconnectState, "keepAlive" | "retryFloor" | "laterFloor" | "paused" | "attempt">>;

/** A shorter interval would make every pause of the network a dead connection. */
const minKeepAliveMs = 250;
/**
 * Idle for longer than this multiple of the keep-alive, a stream is suspicious: one keep-alive is missing. Then it counts as
 * dead: two are missing. The half on top leaves time for one that is late.
 */
const staleFactor = 1.5;
const deadFactor = 2.5;

export function initialState(now: number, retryFloor: number): ReconnectState {
  return {
    phase: "connecting",
    connection: 1,
    attempt: 1,
    since: now,
    retryAt: 0,
    notBefore: 0,
    lastByteAt: 0,
    keepAlive: null,
    paused: false,
    stale: false,
    retryFloor,
    laterFloor: 0,
    reauthorized: false,
    error: undefined,
    closedBy: null,
  };
}

/**
 * The next state.
 *
 * @param random From 0 to 1, for the jitter of a delay.
 */
export function step(
  state: ReconnectState,
  input: ReconnectInput,
  now: number,
  settings: ReconnectSettings,
  random: number,
): ReconnectState {
  if (state.phase === "closed") return state;
  switch (input.type) {
    case "opened":
      // `attempt` stays: a server that opens streams and ends them at once must see longer and longer delays. The keep-alive
      // is forgotten: another server may have answered, with an interval of its own or none. The headers were accepted, so the
      // next rejection may be that of a token that has expired since.
      if (state.phase !== "connecting") return state;
      return {
        ...state,
        phase: "open",
        since: now,
        lastByteAt: now,
        stale: false,
        laterFloor: 0,
        keepAlive: null,
        reauthorized: false,
        error: undefined,
      };
    case "bytes":
      return { ...state, ...input.told, lastByteAt: now, stale: false };
    case "lost":
      return isConnected(state) ? settings.lose(state, input, now, random) : state;
    case "suspend":
      // Only `wake` ends this wait, and it does so at once, because the server has not asked for a delay.
      return isConnected(state) ? wait(state, now, now, Number.POSITIVE_INFINITY) : state;
    case "wake":
      return wake(state, input.online, now, settings);
    case "change":
      return input.change(state, now);
    case "tick":
      return tick(state, now, settings, random);
    case "close":
      return end(state, now, input.by, input.error);
  }
}

/** When the next `tick` is due; `Infinity` for never. An open stream becomes stale, then it counts as dead. */
export function dueAt(state: ReconnectState, settings: ReconnectSettings): number {
  if (state.phase === "connecting") return state.since + settings.connectTimeout;
  if (state.phase === "waiting") return state.retryAt;
  if (state.phase === "closed" || state.paused) return Number.POSITIVE_INFINITY;
  return state.lastByteAt + deadAfter(state, settings) * (state.stale ? 1 : staleFactor / deadFactor);
}

/** The next attempt. Callers have made sure that the server's own delay is over, or does not apply to this attempt. */
export function connect(state: ReconnectState, now: number): ReconnectState {
  return {
    ...state,
    phase: "connecting",
    connection: state.connection + 1,
    attempt: state.attempt + 1,
    since: now,
    paused: false,
  };
}

/** A wait for the next attempt, which the network or the page may end early from `notBefore` on. */
export function wait(state: ReconnectState, now: number, notBefore: number, retryAt: number): ReconnectState {
  return { ...state, phase: "waiting", since: now, notBefore, retryAt };
}

export function end(state: ReconnectState, now: number, closedBy: ClosedBy, error: unknown): ReconnectState {
  return { ...state, phase: "closed", since: now, closedBy, error };
}

/** The server's keep-alive is the better limit. Without one, every idle stream reconnects after `idleTimeout`. */
function deadAfter({ keepAlive }: ReconnectState, { idleTimeout }: ReconnectSettings): number {
  return keepAlive === null ? idleTimeout : Math.max(keepAlive, minKeepAliveMs) * deadFactor;
}

function isConnected({ phase }: ReconnectState): boolean {
  return phase === "connecting" || phase === "open";
}

function wake(state: ReconnectState, online: boolean, now: number, settings: ReconnectSettings): ReconnectState {
  // The network is back, or the page: a delay that was chosen before has lost its reason, unless the server asked for it.
  if (state.phase === "waiting") return online && now >= state.notBefore ? connect(state, now) : state;
  // An attempt under way has its own timeout. While reading is paused, idle time says nothing about the connection.
  if (state.phase !== "open" || state.paused) return state;
  // A connection that was idle for longer than its keep-alive while nothing ran may be dead without any sign of it.
  return now - state.lastByteAt > deadAfter(state, settings) / deadFactor ? connect(state, now) : state;
}

/**
 * Timers are only a hint, so the clock decides. One that was set before the last bytes arrived comes early, and one of a
 * hidden page may come a minute late: Chromium throttles them after five minutes.
 */
function tick(state: ReconnectState, now: number, settings: ReconnectSettings, random: number): ReconnectState {
  if (now < dueAt(state, settings)) return state;
  if (state.phase === "waiting") return connect(state, now);
  const isOpening = state.phase === "connecting";
  const timedOut = isOpening ? settings.connectTimeout : deadAfter(state, settings);
  if (!isOpening && now < state.lastByteAt + timedOut) return { ...state, stale: true };
  return settings.lose(state, { timedOut }, now, random);
}
