// Shows the status of the stream, as the client reports it, and cuts its line on request.
import { stream } from "./stream.js";

const { body } = document;
const status = document.querySelector("#connection");
const line = document.querySelector("#line");
const hint = document.querySelector("#line-hint");
const people = document.querySelector("#people");
const figures = document.querySelector("#figures");
let wasOpen = false;
let countdown;

stream.addEventListener("status", ({ detail: { state, retryAt } }) => {
  clearInterval(countdown);
  if (state === "open") {
    wasOpen = true;
    line.setAttribute("aria-checked", "true");
    show("live", "Connected");
  } else if (state === "stale") show("live", "Connected, but quiet");
  else if (state === "connecting" && !wasOpen) show("connecting", "Connecting");
  else if (state === "offline" || isCut()) show("lost", "Offline");
  else if (retryAt === undefined) show("lost", "Reconnecting");
  else {
    const tick = () => show("lost", `Reconnecting in ${Math.max(1, Math.ceil((retryAt - Date.now()) / 1_000))} s`);
    countdown = setInterval(tick, 1_000);
    tick();
  }
});
show("connecting", "Connecting");

// A new connection, in case the server has rejected this one, begins where this one has come to.
body.addEventListener("htmx:sseMessage", ({ detail }) => {
  if (!detail.lastEventId) return;
  const address = new URL(body.getAttribute("sse-connect"), location.href);
  address.searchParams.set("lastEventId", detail.lastEventId);
  body.setAttribute("sse-connect", address.pathname + address.search);
});

line.addEventListener("click", async () => {
  const cut = !isCut();
  line.setAttribute("aria-checked", String(!cut));
  if (!cut) show("lost", "Reconnecting");
  const form = new URLSearchParams({ window: body.dataset.window, cut: cut ? "yes" : "no" });
  await fetch("/line", { method: "POST", body: form }).catch(() => {});
});

// A request of a window without a stream would be refused: say so in place of asking.
body.addEventListener("htmx:beforeRequest", (event) => {
  if (isLive()) return;
  event.preventDefault();
  event.target.dispatchEvent(new CustomEvent("offline", { bubbles: true }));
});

/** True while the stream is open: only then does the server know this window. */
export function isLive() {
  return body.dataset.connection === "live";
}

function isCut() {
  return line.getAttribute("aria-checked") === "false";
}

function show(state, text) {
  body.dataset.connection = state;
  if (status.textContent !== text) status.textContent = text;
  line.textContent = isCut() ? "Offline" : "Online";
  hint.textContent = isCut() ? "Switch on, and this window catches up" : "Switch off to cut this window’s connection";
  if (state === "lost") forgetCounts();
}

/** Counts of others are out of date without a stream. The server sends them again when it is back. */
function forgetCounts() {
  const unknown = document.createElement("p");
  unknown.textContent = "Who else is here is unknown while offline";
  people.replaceChildren(unknown);
  for (const cell of figures.querySelectorAll("td")) cell.textContent = "–";
}
