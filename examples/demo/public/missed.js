// Says what came of a break of the connection: that the stream continued where it was, or what it had to leave out.
import { stream } from "./stream.js";

const { body } = document;
const notice = document.querySelector("#notice");
/** Events that follow each other so closely after a reconnect were waiting for us. */
const quiet = 400;

/** Id of the last event out of the log. An event that is not from the log has no id. */
let position;
let wasLost = false;
let waiting = 0;
let timer;

body.addEventListener("htmx:sseError", () => {
  wasLost = true;
  notice.replaceChildren();
});

body.addEventListener("htmx:sseOpen", () => {
  if (wasLost) count(0);
  wasLost = false;
});

body.addEventListener("htmx:sseMessage", ({ detail: { id } }) => {
  if (id === undefined || id === position) return;
  position = id;
  if (timer !== undefined) count(waiting + 1);
});

stream.addEventListener("loss", ({ detail: { kind, missed, exact } }) => {
  if (kind === "reset") return tell("The server has begun a new log. This is how things stand now.");
  const events = missed === 1 ? "event" : "events";
  tell(`You missed ${exact ? "" : "up to "}${missed} ${events}: the log keeps no more. This is how things stand now.`);
});

// The chat says so itself, next to the text.
body.addEventListener("offline", ({ target }) => {
  if (!target.closest(".composer")) tell("This window is offline: switch it on first.");
});

notice.addEventListener("click", ({ target }) => target.closest("button") && notice.replaceChildren());

function count(events) {
  waiting = events;
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = undefined;
    if (waiting === 0 || notice.childElementCount > 0) return;
    tell(
      waiting === 1
        ? "Back again, with the one event that was waiting."
        : `Back again, with the ${waiting} events that were waiting.`,
    );
  }, quiet);
}

function tell(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "Close";
  notice.replaceChildren(paragraph, button);
}
