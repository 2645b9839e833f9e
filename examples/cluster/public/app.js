// The page: one subscription, which moves between processes, and what it knows about them.
import { subscribe } from "sourcecast/client";
import { Ledger } from "./ledger.js";
import { Moves } from "./moves.js";
import { Processes } from "./processes.js";

const find = (id) => document.getElementById(id);
const ledger = new Ledger();
const processes = new Processes(find("processes"), find("process"));
const moves = new Moves(find("moves"));
const strip = find("strip");
const longestStrip = 200;
/** How long events may be on their way while the stream is open, before the page says that they are missing. */
const patienceMs = 3_000;
let current;
let isOpen = false;
/** Since when events are on their way, although the stream is open. */
let pendingSince;

const stream = subscribe("/events", {
  retry: { initial: "200ms", max: "1s" },
  // The process names itself in a header, which arrives before the first event.
  async fetch(...request) {
    const response = await fetch(...request);
    const name = response.headers.get("x-process");
    if (name !== null) onProcess(name);
    return response;
  },
});

stream.on("tick", (text) => {
  const tick = JSON.parse(text);
  const isNew = ledger.receive(tick);
  if (isNew) {
    moves.received(tick.time);
    draw(tick);
  }
  processes.publishedBy(tick.life.split(".")[0], tick);
});

stream.on("process", (text) => {
  const state = JSON.parse(text);
  processes.show(state);
  moves.processIs(state);
});

stream.onLoss((loss) => {
  if (loss.kind === "reset") ledger.restart();
  else ledger.declared += loss.missed;
  moves.lost(loss);
});

stream.onStatus(({ state }) => {
  const wasOpen = isOpen;
  isOpen = state === "open" || state === "stale";
  if (wasOpen && !isOpen) moves.disconnected(processes.stateOf(current));
  if (isOpen && !wasOpen) moves.connected(current);
  document.body.dataset.connection = isOpen ? "open" : "lost";
  processes.serves(isOpen ? current : undefined);
  find("status").textContent = isOpen ? `Connected to process ${current}` : "Moving to another process";
});

find("processes").addEventListener("click", ({ target }) => {
  const { action } = target.dataset;
  const { name } = target.closest(".process")?.dataset ?? {};
  if (action !== undefined) fetch(`/processes/${name}/${action}`, { method: "POST" }).catch(() => {});
});
find("burst").addEventListener("click", () => fetch("/burst", { method: "POST" }).catch(() => {}));

function onProcess(name) {
  current = name;
  document.body.dataset.process = name;
}

function draw({ life, number }) {
  const cell = document.createElement("i");
  cell.dataset.process = current;
  cell.title = `event ${number} of ${life}, delivered by ${current}`;
  if (strip.lastElementChild?.dataset.process !== current) cell.className = "first";
  strip.append(cell);
  if (strip.childElementCount > longestStrip) strip.firstElementChild.remove();
}

/** Asks a process, whichever nginx chooses, what is in the log. */
async function ask() {
  try {
    const response = await fetch("/published");
    if (response.ok) ledger.compare((await response.json()).published);
  } catch {
    // No process is up: the next one is asked.
  }
}

function show() {
  for (const name of ["published", "delivered", "declared", "pending", "twice"]) {
    const text = ledger[name].toLocaleString("en");
    if (find(name).textContent !== text) find(name).textContent = text;
  }
  if (ledger.pending === 0 || !isOpen) pendingSince = undefined;
  else pendingSince ??= performance.now();
  const isLate = pendingSince !== undefined && performance.now() - pendingSince > patienceMs;
  const verdict = find("verdict");
  verdict.dataset.verdict = isLate || ledger.twice > 0 ? "bad" : isOpen ? "good" : "waiting";
  const text = isLate
    ? `${ledger.pending} missing`
    : ledger.twice > 0
      ? `${ledger.twice} received twice`
      : isOpen
        ? "Nothing missed, nothing twice"
        : "Events wait in the log";
  if (verdict.textContent !== text) verdict.textContent = text;
}

setInterval(ask, 500);
setInterval(show, 100);
