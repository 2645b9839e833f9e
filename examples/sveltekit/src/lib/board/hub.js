// The server's end of the board: a hub, and a timetable that changes every now and then.
import { createHub } from "sourcecast";
import { sqliteLog } from "sourcecast/sqlite";
import { events } from "./events.js";
import { changeTrain, nextTrain } from "./timetable.js";

const lines = 8;
const { DATABASE = "board.db", KEEP = "500", PACE = "1600" } = process.env;

/** The one board of this process: frameworks evaluate modules more than once, and while they build. */
export function openBoard() {
  globalThis.board ??= createBoard();
  return globalThis.board;
}

function createBoard() {
  const hub = createHub({
    events,
    // In a file, so that a client continues where it was although the process was killed.
    log: sqliteLog({ path: DATABASE, maxEvents: Number(KEEP) }),
    // Longer than a process that has drained keeps connections for further requests.
    retry: 2_000,
    closeOnSignal: false,
  });
  const channel = hub.channel("board");
  const trains = Array.from({ length: lines }, (_, line) => nextTrain(line));

  /** The log keeps the newest event of each key, so a new page receives the whole board. */
  const publish = (change) => {
    const train = { ...change, at: Date.now() };
    trains[train.line] = train;
    return channel.dispatch("train", train, { key: `line ${train.line}` });
  };

  const ready = Promise.all(trains.map(publish));
  const timer = setInterval(() => {
    const train = trains[Math.floor(Math.random() * lines)];
    publish(changeTrain(train)).catch(console.error);
  }, Number(PACE));
  timer.unref();

  // A deploy: the clients of this process leave one after the other, and continue with the next process.
  process.once("SIGTERM", async () => {
    clearInterval(timer);
    await hub.drain({ within: "1s" });
    await hub.close();
  });

  return {
    hub,
    announce: (text) => channel.dispatch("announcement", { text, at: Date.now() }),
    /** The board for the first rendering, and the position that the page's stream continues at. */
    async snapshot() {
      await ready;
      const cursor = await hub.cursor();
      return { trains: [...trains], cursor };
    },
  };
}
