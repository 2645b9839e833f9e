// Shows the bytes of this window's stream. A page cannot see those of its own EventSource, so the server gives a copy.
import { shareConnections } from "./windows.js";

const mostShown = 120;
const { body } = document;
const list = document.querySelector("#frames");
const note = document.querySelector("#wire-note");
const meter = { frames: document.querySelector("#wire-frames"), bytes: document.querySelector("#wire-bytes") };
const pause = document.querySelector("#wire-pause");

let frames = 0;
let bytes = 0;
let paused = false;
let allowed = false;
let reading = null;

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
});

shareConnections((isAllowed) => {
  allowed = isAllowed;
  note.textContent = allowed
    ? "The bytes of this window’s stream as they leave the server"
    : "Too many windows of one browser to show the bytes in each";
  if (allowed) readAnew();
  else reading?.abort();
});

body.addEventListener("htmx:sseOpen", read);

/** The copy begins with what has been there before: shown already, if this window has read of the same stream. */
function readAnew() {
  list.replaceChildren();
  frames = bytes = 0;
  read();
}

async function read() {
  if (!allowed || body.dataset.connection !== "live") return;
  reading?.abort();
  reading = new AbortController();
  const { signal } = reading;
  try {
    const response = await fetch(`/wire?window=${body.dataset.window}`, { signal });
    if (!response.ok) return;
    list.append(beginning(response.headers.get("x-last-event-id")));
    let line = "";
    let block = "";
    const decoder = new TextDecoder();
    for await (const chunk of chunks(response.body)) {
      bytes += chunk.byteLength;
      const lines = (line + decoder.decode(chunk, { stream: true })).split("\n");
      line = lines.pop();
      const pieces = [];
      for (const text of lines) {
        // A blank line ends an event. Between events, comments and reconnection times are lines of their own.
        if (text !== "") block += block === "" ? text : `\n${text}`;
        if (text !== "" && !/^(:|retry:)/.test(block)) continue;
        if (block !== "") pieces.push(block);
        block = "";
      }
      frames += pieces.length;
      if (!paused) show(pieces);
    }
  } catch {
    // The stream was cut off, and the EventSource with it: its next `open` brings us back.
  }
}

/** Not every browser iterates over a stream. */
async function* chunks(stream) {
  const reader = stream.getReader();
  for (let result = await reader.read(); !result.done; result = await reader.read()) yield result.value;
}

function show(pieces) {
  list.append(...pieces.map(frameElement));
  while (list.childElementCount > mostShown) list.firstElementChild.remove();
  meter.frames.textContent = String(frames);
  meter.bytes.textContent = bytes < 1_000 ? `${bytes} B` : `${(bytes / 1_000).toFixed(1)} kB`;
}

/** Where a connection begins, and what the browser asked for. */
function beginning(lastEventId) {
  const element = document.createElement("code");
  element.className = "beginning";
  element.textContent = lastEventId ? `GET /events\nLast-Event-ID: ${lastEventId}` : "GET /events";
  return element;
}

function frameElement(frame) {
  const element = document.createElement("code");
  element.className = "frame";
  for (const line of frame.split("\n")) element.append(...lineElements(line), "\n");
  return element;
}

function lineElements(line) {
  const colon = line.indexOf(":");
  if (colon <= 0) return [span("comment", line)];
  const name = line.slice(0, colon);
  return [span(`name ${name}`, `${name}:`), span(`value ${name}`, line.slice(colon + 1))];
}

function span(className, text) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}
