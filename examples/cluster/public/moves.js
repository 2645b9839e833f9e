// The list of the page's moves from one process to another: how long each took, and what waited in the log for it.

const longestList = 8;

export class Moves {
  #list;
  #from;
  #lostAt;
  #current;

  constructor(list) {
    this.#list = list;
  }

  /** The stream is gone. `state` is that of the process that it came from, as far as it is known. */
  disconnected(state) {
    this.#lostAt = Date.now();
    this.#current = undefined;
    if (this.#from !== undefined) this.#from.end = state === "draining" ? "was drained" : "is gone";
  }

  connected(name) {
    const from = this.#from;
    this.#from = { name };
    if (from === undefined) return;
    const item = document.createElement("li");
    item.innerHTML = '<time></time><span class="path"></span><span class="detail"></span>';
    this.#current = { item, from, to: name, openedAt: Date.now(), took: Date.now() - this.#lostAt, waited: 0, lost: 0 };
    this.#list.querySelector(".empty")?.remove();
    this.#list.prepend(item);
    if (this.#list.childElementCount > longestList) this.#list.lastElementChild.remove();
    this.#draw(this.#current);
  }

  /** An event arrived. One that was published before the stream was open has waited in the log. */
  received(time) {
    const move = this.#current;
    if (move === undefined || time >= move.openedAt) return;
    move.waited++;
    this.#draw(move);
  }

  lost(loss) {
    const move = this.#current;
    if (move === undefined) return;
    move.lost = loss.kind === "reset" ? "the log is another one" : `${loss.missed} declared as lost`;
    this.#draw(move);
  }

  /** The supervisor's word about a process may arrive after the move. */
  processIs({ name, state }) {
    const move = this.#current;
    if (move === undefined || move.from.name !== name || state !== "down" || move.from.end !== "is gone") return;
    move.from.end = "was killed";
    this.#draw(move);
  }

  #draw({ item, from, to, openedAt, took, waited, lost }) {
    const [time, path, detail] = item.children;
    time.textContent = new Date(openedAt).toLocaleTimeString("en-GB");
    path.replaceChildren(chip(from.name), ` ${from.end} → `, chip(to));
    const events = waited === 1 ? "1 event" : `${waited} events`;
    const rest = lost === 0 ? (waited === 0 ? "" : ", all delivered") : `, ${lost}`;
    detail.textContent = `away for ${(took / 1_000).toFixed(1)} s, ${events} waited${rest}`;
  }
}

function chip(name) {
  const element = document.createElement("b");
  element.className = "chip";
  element.dataset.process = name;
  element.textContent = name;
  return element;
}
