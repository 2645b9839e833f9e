import "./chat.js";
import "./connection.js";
import "./document.js";
import "./missed.js";
import "./pin.js";
import "./wire.js";

// A reload of this address keeps the name and the colour.
history.replaceState(null, "", `/?as=${document.body.dataset.persona}`);

// Side by side where there is room for it; a plain link to a new tab where there is not.
document.querySelector("#second-window").addEventListener("click", (event) => {
  if (!matchMedia("(min-width: 60rem) and (pointer: fine)").matches) return;
  event.preventDefault();
  const { availWidth, availHeight } = screen;
  const width = Math.floor(availWidth / 2);
  open("/", "", `popup,noopener,width=${width},height=${availHeight},left=${availWidth - width},top=0`);
});
