// Publishes numbered events, so that a page can prove that it has received every one of them.
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";

const betweenEventsMs = 300;

export class Publisher {
  #ticks;
  #connections;
  /** One life of the process: numbers begin at 1 with each. */
  #life;
  #number = 0;
  /** The last publish. Events are published one after the other, so that their numbers are in order in the log. */
  #last = Promise.resolve();
  #stopped = new AbortController();

  /** Publishes on the channel; `connections` is called for the number of open streams, which each event carries. */
  constructor(ticks, name, connections) {
    this.#ticks = ticks;
    this.#connections = connections;
    this.#life = `${name}.${randomUUID().slice(0, 8)}`;
  }

  /** An event at short intervals, until `stop()`. */
  async run() {
    while (!this.#stopped.signal.aborted) {
      this.publish(1);
      await setTimeout(betweenEventsMs);
    }
  }

  /** Publishes several events at once. */
  publish(count) {
    const events = Array.from({ length: count }, () => this.#next());
    this.#last = this.#last.then(() => this.#untilAccepted(events));
    return this.#last;
  }

  /** Resolves when everything has been accepted. */
  stop() {
    this.#stopped.abort();
    return this.#last;
  }

  #next() {
    const number = ++this.#number;
    const data = { life: this.#life, number, time: Date.now(), connections: this.#connections() };
    return { type: "tick", data, idempotencyKey: `${this.#life}.${number}` };
  }

  /** An event whose outcome is unknown is published again under the same key, which the log stores once. */
  async #untilAccepted(events) {
    while (true) {
      try {
        await this.#ticks.dispatchAll(events);
        return;
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        console.error(`Not published yet: ${error.message}`);
        await setTimeout(betweenEventsMs);
      }
    }
  }
}
