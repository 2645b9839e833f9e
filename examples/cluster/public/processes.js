// The cards of the processes, and their buttons.

const words = { up: "up", starting: "starting", draining: "draining", down: "down" };

export class Processes {
  #section;
  #template;
  #states = new Map();

  constructor(section, template) {
    this.#section = section;
    this.#template = template;
    for (const name of ["a", "b", "c"]) this.#card(name);
  }

  stateOf(name) {
    return this.#states.get(name);
  }

  /** What the supervisor says about a process. */
  show({ name, state, pid }) {
    this.#states.set(name, state);
    const card = this.#card(name);
    card.dataset.state = state;
    card.querySelector(".state").textContent = words[state];
    card.querySelector(".pid").textContent = pid ?? "–";
    if (state !== "up") card.querySelector(".connections").textContent = "–";
    for (const button of card.querySelectorAll("button")) {
      const { action } = button.dataset;
      button.disabled =
        action === "kill" ? state === "down" : action === "drain" ? state !== "up" : state === "starting";
      if (action === "restart") button.textContent = state === "down" ? "Start" : "Restart";
    }
  }

  /** An event of a process says how it is. */
  publishedBy(name, { number, connections }) {
    const card = this.#card(name);
    card.querySelector(".published").textContent = number.toLocaleString("en");
    if (this.#states.get(name) === "up") card.querySelector(".connections").textContent = connections;
  }

  /** The process that this page is connected to. */
  serves(name) {
    for (const card of this.#section.querySelectorAll(".process")) {
      card.classList.toggle("serving", card.dataset.name === name);
    }
  }

  #card(name) {
    const known = this.#section.querySelector(`[data-name="${name}"]`);
    if (known !== null) return known;
    const card = this.#template.content.firstElementChild.cloneNode(true);
    card.dataset.name = name;
    card.dataset.process = name;
    card.setAttribute("aria-label", `Process ${name}`);
    card.querySelector(".letter").textContent = name;
    this.#section.append(card);
    return card;
  }
}
