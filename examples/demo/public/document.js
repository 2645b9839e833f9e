// Locks of the document. A field takes its lock with the focus and gives it back without. What one writes in oneself is not
// swapped: the cursor would jump, and the text is newer here than on the server.
import { isLive } from "./connection.js";

const { body } = document;
const form = document.querySelector("#document form");
const announcements = document.querySelector("#announcements");
/** What the server has of each field, as far as this window knows. */
const known = new WeakMap();
/** Requests go one after the other, so that they arrive in order. */
let requests = Promise.resolve();
let writing = false;

form.addEventListener("focusin", ({ target }) => {
  if (isLive()) take(target);
});

form.addEventListener("focusout", ({ target }) => {
  // A window that goes to the background keeps its focused field, and so the lock.
  setTimeout(() => {
    if (document.activeElement !== target) enqueue(target, "release");
  });
});

form.addEventListener("input", ({ target }) => {
  resize(target);
  write(target);
});
// A field of one line grows with its text and has no line breaks of its own.
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.dataset.lines === "1") event.preventDefault();
});
form.addEventListener("htmx:sseMessage", resizeAll);
addEventListener("resize", resizeAll);
resizeAll();

function resizeAll() {
  for (const input of form.elements) resize(input);
}

/** As high as its text, where CSS cannot do that. */
function resize(input) {
  if (CSS.supports("field-sizing", "content")) return;
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
}

form.addEventListener("submit", (event) => event.preventDefault());

// Without a stream there is no lock. The client reconnects; then the field that has the focus asks again.
body.addEventListener("htmx:sseError", () => setReadOnly(true));
body.addEventListener("htmx:sseOpen", () => {
  setReadOnly(false);
  const { activeElement } = document;
  if (form.contains(activeElement)) take(activeElement);
});

form.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (event.target.contains(document.activeElement)) event.preventDefault();
});
form.addEventListener("htmx:sseMessage", ({ target }) => announce(target));

function take(input) {
  if (!known.has(input)) known.set(input, input.value);
  enqueue(input, "lock");
}

function write(input) {
  if (writing || !isLive()) return;
  writing = true;
  enqueue(input, "write");
}

function enqueue(input, action) {
  requests = requests.then(() => send(input, action)).catch(() => {});
}

async function send(input, action) {
  if (action === "write") writing = false;
  if (!input.isConnected || !isLive()) return;
  const { value } = input;
  const form = new URLSearchParams({ window: body.dataset.window, field: input.name, action, text: value });
  const response = await fetch("/document", { method: "POST", body: form });
  if (response.status === 409) return giveUp(input, await response.text());
  if (!response.ok) return;
  const text = await response.text();
  if (action === "lock") settle(input, text);
  else known.set(input, text);
}

/** The lock is ours: what was typed since the server last heard of it counts, else what the server has. */
function settle(input, text) {
  input.closest(".field").classList.add("held");
  if (input.value !== known.get(input)) write(input);
  else if (input.value !== text) input.value = text;
  known.set(input, text);
}

/** Somebody else has the lock: the field is shown as everybody sees it. */
function giveUp(input, markup) {
  if (!input.isConnected) return;
  const field = input.closest(".field");
  input.blur();
  htmx.swap(field, markup, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
  announce(field);
}

function setReadOnly(readOnly) {
  for (const input of form.elements) input.readOnly = readOnly;
}

/** Says who writes where; only when that changes, not with every key. */
function announce(field) {
  field.classList.remove("held");
  const holder = field.querySelector(".holder").textContent;
  if (field.dataset.holder !== holder && holder !== "") {
    announcements.textContent = `${field.querySelector("label").textContent}: ${holder}`;
  }
  field.dataset.holder = holder;
}
