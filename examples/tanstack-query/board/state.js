// The state of the page: pure functions, which the binding of the framework calls with each event and each loss.

export const emptyBoard = { trains: {}, announcements: [], received: 0, loss: null };

/** A board with the trains that the server has rendered. */
export function boardOf(trains) {
  return { ...emptyBoard, trains: Object.fromEntries(trains.map((train) => [train.line, train])) };
}

export function applyEvent(board, { type, data }) {
  const received = board.received + 1;
  switch (type) {
    case "train":
      // `change` is another number after each change, which restarts the animation of the row.
      return { ...board, received, trains: { ...board.trains, [data.line]: { ...data, change: received } } };
    case "announcement":
      return { ...board, received, announcements: [{ ...data, number: received }, ...board.announcements].slice(0, 4) };
    default:
      return board;
  }
}

/** After a gap, the server sends the newest event of each line. After a reset, the whole board is another one. */
export function applyLoss(board, loss) {
  return loss.kind === "reset" ? { ...emptyBoard, loss } : { ...board, loss };
}

/** The rows in the order of departure. */
export function rowsOf({ trains }) {
  return Object.values(trains).sort((one, other) => one.departs + one.delay - (other.departs + other.delay));
}

export function timeOf(milliseconds) {
  return new Date(milliseconds).toISOString().slice(11, 16);
}

export function remarkOf({ state, delay }) {
  return state === "delayed" ? `${delay} min late` : state;
}

/** The words for a status. */
export function describeStatus({ state, attempt }) {
  const words = {
    connecting: "Connecting",
    open: "Live",
    stale: "Waiting for the server",
    retrying: "Reconnecting",
    offline: "Offline",
    paused: "Paused",
    closed: "Closed",
  };
  return state === "retrying" && attempt > 1 ? `${words[state]}, attempt ${attempt}` : words[state];
}

/** Events that arrive so soon after a reconnect were waiting for this page. */
const catchUpMs = 400;

/**
 * Finds out what a break of the connection came to. Call the result with the state of the stream and the board whenever one of
 * them has changed.
 *
 * @param tell called with a sentence, once for each break
 */
export function watchBreaks(tell) {
  let wasOpen = false;
  let lost = null;
  let latest;
  return (state, board) => {
    latest = board;
    if (state !== "open") {
      if (wasOpen) lost ??= { at: Date.now(), board };
    } else if (lost !== null) {
      const { at, board: before } = lost;
      lost = null;
      const seconds = Math.max(1, Math.round((Date.now() - at) / 1_000));
      setTimeout(() => tell(describeReturn(seconds, before, latest)), catchUpMs);
    }
    wasOpen ||= state === "open";
  };
}

function describeReturn(seconds, before, { received, loss }) {
  const back = `Back after ${seconds} s`;
  if (loss !== before.loss) return `${back}. ${describeLoss(loss)}`;
  const events = received - before.received;
  if (events === 0) return `${back}: nothing had happened.`;
  return events === 1 ? `${back}: one event was waiting.` : `${back}: ${events} events were waiting.`;
}

function describeLoss(loss) {
  if (loss.kind === "reset") return "The server has a new log; this is its board.";
  return `You missed ${loss.exact ? "" : "up to "}${loss.missed} events; the board is up to date again.`;
}
