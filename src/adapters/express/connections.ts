import type { EventSource } from "../../source.ts";

/** One connection, from the call of `attach` on: it has its place before its stream is open. */
export interface Attached {
  readonly id: string;
  source: EventSource | null;
  lastEvent: number;
}

/** Those who are here, in the order in which they came, and by id. */
export class Connections extends Set<Attached> {
  readonly #byId = new Map<string, Attached[]>();

  of(id: string): readonly Attached[] {
    return this.#byId.get(id) ?? [];
  }

  override add(connection: Attached): this {
    this.#byId.set(connection.id, [...this.of(connection.id), connection]);
    return super.add(connection);
  }

  override delete(connection: Attached): boolean {
    const others = this.of(connection.id).filter((other) => other !== connection);
    if (others.length > 0) this.#byId.set(connection.id, others);
    else this.#byId.delete(connection.id);
    return super.delete(connection);
  }
}
