import type { EventSource } from "sourcecast";

/** The first stream has the lock. When it closes, for whatever reason, the next one gets it. */
class LockPool {
  readonly #sources = new Set<EventSource<true>>();

  add(source: EventSource<true>): void {
    this.#sources.add(source);
    source.addEventListener("close", () => {
      this.#sources.delete(source);
      this.#announce();
    });
    this.#announce();
  }

  #announce(): void {
    const [owner] = this.#sources;
    for (const source of this.#sources) {
      source.dispatch("lock", source === owner ? <b class="mine">The lock is yours</b> : <i>Locked by another user</i>);
    }
  }
}

export const lock = new LockPool();
