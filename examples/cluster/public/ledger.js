// What was published and what arrived, by the numbers that each publisher gives its events. A life of a process numbers them 1, 2, 3 …

export class Ledger {
  delivered = 0;
  declared = 0;
  twice = 0;
  /** The last number of each life that was received, and the first that counts. */
  #received = new Map();
  /** The last number of each life in the log. */
  #published = {};
  /** Lives that had begun before this page counted: theirs begin with the first event that it receives. */
  #older = null;

  /** @returns false for an event that was received before. */
  receive({ life, number }) {
    const known = this.#received.get(life);
    if (known === undefined) {
      const isOlder = this.#older === null || this.#older.has(life);
      this.#received.set(life, { first: isOlder ? number : 1, last: number });
    } else if (number <= known.last) {
      this.twice++;
      return false;
    } else known.last = number;
    this.delivered++;
    return true;
  }

  /** The last number of each life, as a process has read them from the log. */
  compare(published) {
    this.#older ??= new Set(Object.keys(published));
    // An older state, of a process that has just begun to read, takes nothing away.
    for (const [life, number] of Object.entries(published)) {
      this.#published[life] = Math.max(number, this.#published[life] ?? 0);
    }
  }

  get published() {
    let sum = 0;
    for (const [life, { first, last }] of this.#received) sum += Math.max(last, this.#published[life] ?? 0) - first + 1;
    for (const [life, number] of Object.entries(this.#published)) {
      if (!this.#received.has(life) && !this.#older.has(life)) sum += number;
    }
    return sum;
  }

  /** Published, and neither delivered nor declared yet. */
  get pending() {
    return Math.max(0, this.published - this.delivered - this.declared);
  }

  /** After a reset nothing is known about what came before. */
  restart() {
    this.delivered = 0;
    this.declared = 0;
    this.#received.clear();
    this.#published = {};
    this.#older = null;
  }
}
