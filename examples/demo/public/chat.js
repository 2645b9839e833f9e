// Whatever is not htmx's in the chat: whose messages are one's own, and what becomes of one that could not be sent.
const form = document.querySelector(".composer");
const problem = document.querySelector(".chat .problem");

document.querySelector(".chat").addEventListener("htmx:afterSwap", ({ currentTarget }) => {
  const mine = `.message[data-by="${document.body.dataset.persona}"]:not(.mine)`;
  for (const message of currentTarget.querySelectorAll(mine)) message.classList.add("mine");
});

form.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) form.reset();
  problem.textContent = detail.successful ? "" : "Not sent. Your text is still here, try again in a moment.";
});

form.addEventListener("offline", () => {
  problem.textContent = "Not sent: this window is offline. Your text is still here, send it when the window is back.";
});

document.body.addEventListener("htmx:sseOpen", () => {
  if (problem.textContent !== "") problem.textContent = "Back online. Send it now.";
});
