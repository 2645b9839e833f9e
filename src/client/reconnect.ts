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
  /** The server's reconnection time, for every wait. */
  readonly retryFloor: number;
  /** A longer time that the server asked for once: `retry-after`, `sse:later`. */
  readonly laterFloor: number;
  /** Why it is waiting or closed, where an error was the reason. */
  readonly error: unknown;
  readonly closedBy: ClosedBy | null;
}

/** The settings of the machine, in milliseconds. */
export interface ReconnectSettings {
  /** False: the first end of the stream is the last. */
  readonly enabled: boolean;
  /** Upper bound of the first random delay; it doubles with each attempt. */
  readonly initial: number;
  /** Upper bound of any random delay. */
  readonly max: number;
  /** How long a connection may take to open. */
  readonly connectTimeout: number;
  /** How long an open stream may be idle where the server has announced no keep-alive. */
  readonly idleTimeout: number;
  /** The reconnection time until the server names one. */
  readonly defaultRetry: number;
}

export type ReconnectInput =
  /** The response has arrived and is an event stream. */
  | { readonly type: "opened" }
  /** Bytes have arrived, comments included. */
  | { readonly type: "bytes" }
  /** An event of the application has arrived. Control events are not. */
  | { readonly type: "event" }
  | { readonly type: "keepAlive"; readonly interval: number }
  | { readonly type: "retry"; readonly time: number }
  | { readonly type: "later"; readonly time: number }
  | { readonly type: "paused"; readonly paused: boolean }
  /** The connection has ended or failed, or could not be opened. */
  | {
      readonly type: "lost";
      readonly error?: unknown;
      readonly retryAfter?: number;
      readonly immediately?: boolean;
      /** The runtime says that there is no network. */
      readonly offline?: boolean;
    }
  /** The page became visible, the network came back, the machine woke up: timers may have slept. */
  | { readonly type: "wake"; readonly online: boolean }
  | { readonly type: "tick" }
  /** The page is put away; `wake` brings the connection back. */
  | { readonly type: "suspend" }
  | { readonly type: "close"; readonly by: ClosedBy; readonly error?: unknown };

/** A stream that was healthy for this long has earned a fresh start. */
const healthyAfterMs = 30_000;
/** Longer times that a server asks for are cut, so that a typing error does not keep a client away for a year. */
const maxFloorMs = 600_000;
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
    retryFloor,
    laterFloor: 0,
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
      // is forgotten: another server may have answered, with an interval of its own or none.
      if (state.phase !== "connecting") return state;
      return { ...state, phase: "open", since: now, lastByteAt: now, laterFloor: 0, keepAlive: null, error: undefined };
    case "bytes":
      return state.phase === "open" ? { ...state, lastByteAt: now } : state;
    case "event":
      // Bytes alone prove little: every stream begins with some, also that of a server that fails right after them.
      return state.phase === "open" && state.attempt !== 0 ? { ...state, attempt: 0 } : state;
    case "keepAlive":
      return { ...state, keepAlive: Math.max(input.interval, minKeepAliveMs) };
    case "retry":
      return { ...state, retryFloor: Math.min(input.time, maxFloorMs) };
    case "later":
      return { ...state, laterFloor: Math.min(input.time, maxFloorMs) };
    case "paused":
      // Bytes may have waited in the socket for all of the pause. The idle time begins when they are read again.
      return { ...state, paused: input.paused, lastByteAt: now };
    case "lost":
      return lose(state, input, now, settings, random);
    case "suspend":
      // Only `wake` ends this wait, and it does so at once, because the server has not asked for a delay.
      if (!isConnected(state)) return state;
      return { ...state, phase: "waiting", since: now, retryAt: Number.POSITIVE_INFINITY, notBefore: now };
    case "wake":
      return wake(state, input.online, now, settings);
    case "tick":
      return tick(state, now, settings, random);
    case "close":
      return { ...state, phase: "closed", since: now, closedBy: input.by, error: input.error };
  }
}

/** When the next `tick` is due; `Infinity` for never. */
export function dueAt(state: ReconnectState, settings: ReconnectSettings): number {
  if (state.phase === "connecting") return state.since + settings.connectTimeout;
  if (state.phase === "waiting") return state.retryAt;
  if (state.phase === "closed" || state.paused) return Number.POSITIVE_INFINITY;
  return state.lastByteAt + deadAfter(state, settings);
}

/** When an open stream becomes suspicious. `Infinity` while no bytes are expected. */
export function staleAt(state: ReconnectState, settings: ReconnectSettings): number {
  if (state.phase !== "open" || state.paused) return Number.POSITIVE_INFINITY;
  return state.lastByteAt + (staleFactor / deadFactor) * deadAfter(state, settings);
}

/** Why the machine ended a connection: nothing else had. */
export class TimeoutReason {
  readonly during: "connect" | "idle";
  readonly time: number;

  constructor(during: "connect" | "idle", time: number) {
    this.during = during;
    this.time = time;
  }
}

/** The server's keep-alive is the better limit. Without one, every idle stream reconnects after `idleTimeout`. */
function deadAfter({ keepAlive }: ReconnectState, { idleTimeout }: ReconnectSettings): number {
  return keepAlive === null ? idleTimeout : keepAlive * deadFactor;
}

function isConnected({ phase }: ReconnectState): boolean {
  return phase === "connecting" || phase === "open";
}

/** The next attempt. Callers have made sure that the server's own delay is over, or does not apply to this attempt. */
function connect(state: ReconnectState, now: number): ReconnectState {
  return {
    ...state,
    phase: "connecting",
    connection: state.connection + 1,
    attempt: state.attempt + 1,
    since: now,
    paused: false,
  };
}

/**
 * A connection is gone: connects at once, waits, or closes. After the first failure, and after a healthy stream, the random
 * delay is at most `initial`. It is drawn from the whole range down to zero, so that clients which a restart of the server
 * disconnects in one moment come back spread over that range.
 */
function lose(
  state: ReconnectState,
  { error, retryAfter = 0, immediately = false, offline = false }: Extract<ReconnectInput, { type: "lost" }>,
  now: number,
  settings: ReconnectSettings,
  random: number,
): ReconnectState {
  if (!isConnected(state)) return state;
  const rested = { ...state, error, attempt: isHealthy(state, now) ? 0 : state.attempt };
  if (immediately) return connect(rested, now);
  if (!settings.enabled) {
    return { ...rested, phase: "closed", since: now, closedBy: error === undefined ? "ended" : "failed" };
  }
  // The server's time is a floor, so that shedding and drains are not defeated; the jitter comes on top of it.
  const asked = Math.max(rested.laterFloor, Math.min(retryAfter, maxFloorMs));
  const floor = Math.max(rested.retryFloor, asked);
  // The exponent is bounded because `initial` may be 0, and 0 times infinity is not a number.
  const ceiling = Math.min(settings.max, settings.initial * 2 ** Math.min(Math.max(0, rested.attempt - 1), 30));
  // The reconnection time spreads the clients that a server has lost. A client without a network was not one of them, and
  // comes back with its network, unless the server has asked it to stay away.
  const notBefore = now + (offline ? asked : floor);
  return { ...rested, phase: "waiting", since: now, laterFloor: 0, notBefore, retryAt: now + floor + random * ceiling };
}

/** A quiet stream is healthy too, so this counts the time and not the events. */
function isHealthy(state: ReconnectState, now: number): boolean {
  return state.phase === "open" && now - state.since >= healthyAfterMs;
}

function wake(state: ReconnectState, online: boolean, now: number, settings: ReconnectSettings): ReconnectState {
  // The network is back, or the page: a delay that was chosen before has lost its reason, unless the server asked for it.
  if (state.phase === "waiting") return online && now >= state.notBefore ? connect(state, now) : state;
  // An attempt under way has its own timeout. While reading is paused, idle time says nothing about the connection.
  if (state.phase !== "open" || state.paused) return state;
  // A connection that was idle for longer than its keep-alive while nothing ran may be dead without any sign of it.
  const idle = now - state.lastByteAt;
  return idle > (state.keepAlive ?? settings.idleTimeout / deadFactor) ? connect(state, now) : state;
}

/**
 * Timers are only a hint, so the clock decides. One that was set before the last bytes arrived comes early, and one of a
 * hidden page may come a minute late: Chromium throttles them after five minutes.
 */
function tick(state: ReconnectState, now: number, settings: ReconnectSettings, random: number): ReconnectState {
  if (now < dueAt(state, settings)) return state;
  if (state.phase === "waiting") return connect(state, now);
  const during = state.phase === "connecting" ? "connect" : "idle";
  const time = during === "connect" ? settings.connectTimeout : deadAfter(state, settings);
  return lose(state, { type: "lost", error: new TimeoutReason(during, time) }, now, settings, random);
}
