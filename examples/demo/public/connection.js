// Shows whether the stream is open. The reconnecting itself is done by the browser.
const { body } = document;
const status = document.querySelector("#connection span");

body.addEventListener("htmx:sseOpen", () => show("live", "Connected"));
body.addEventListener("htmx:sseError", () => show("lost", "Reconnecting"));
show("connecting", "Connecting");

function show(state, text) {
  body.dataset.connection = state;
  if (status.textContent !== text) status.textContent = text;
}

/** True while the stream is open: only then does the server know this window. */
export function isLive() {
  return body.dataset.connection === "live";
}
