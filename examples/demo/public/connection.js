// Shows whether the stream is open, and cuts its line on request. The reconnecting itself is done by the browser.
const { body } = document;
const status = document.querySelector("#connection");
const line = document.querySelector("#line");
const send = document.querySelector(".composer button");

body.addEventListener("htmx:sseOpen", () => {
  line.setAttribute("aria-checked", "true");
  show("live", "Connected");
});
body.addEventListener("htmx:sseError", () => show("lost", isCut() ? "Offline" : "Reconnecting"));
show("connecting", "Connecting");

// A new connection, in case the browser does not go on with this one, begins where this one has come to.
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

/** True while the stream is open: only then does the server know this window. */
export function isLive() {
  return body.dataset.connection === "live";
}

function isCut() {
  return line.getAttribute("aria-checked") === "false";
}

function show(state, text) {
  body.dataset.connection = state;
  send.disabled = state !== "live";
  if (status.textContent !== text) status.textContent = text;
}
