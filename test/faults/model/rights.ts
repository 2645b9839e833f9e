import type { Accepted, Record } from "./record.ts";

/** The channels that each client may read. Initially, every client may read all of them. */
export class Rights {
  readonly #record: Record;
  readonly #changes = new Map<string, { allowed: boolean; order: number }>();

  constructor(record: Record) {
    this.#record = record;
  }

  change(key: string, channel: string, allowed: boolean): void {
    this.#changes.set(`${key}\n${channel}`, { allowed, order: this.#record.all.length });
  }

  allows(key: string, channel: string): boolean {
    return this.#changes.get(`${key}\n${channel}`)?.allowed ?? true;
  }

  /** Whether an entry could be seen: always since it was accepted, never since then, or at times. */
  of(key: string, { channel, order }: Accepted): "always" | "never" | "at times" {
    const change = this.#changes.get(`${key}\n${channel}`);
    if (change === undefined) return "always";
    if (order < change.order) return "at times";
    return change.allowed ? "always" : "never";
  }
}
