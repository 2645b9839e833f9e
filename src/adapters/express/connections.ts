// The connections of a manager, by id, and the timer that closes idle ones.
import { checkInterval, now, unrefTimeout } from "../../base/clock.ts";
import type { SubscribeOptions } from "../../hub/options.ts";
import type { EventSource } from "../../source/source.ts";

type Filter = NonNullable<SubscribeOptions["filter"]>;

/** One connection. */
export class ManagedConnection {
  readonly id: string;
  source: EventSource | null = null;
  lastEvent: number = now();

  constructor(id: string) {
    this.id = id;
  }

  /** Wraps `filter` so that the time of the last event that it let through is known. */
  noting(filter: Filter = () => true): Filter {
    return (event) => {
      const wanted = filter(event);
      if (wanted === true) this.lastEvent = now();
      return wanted;
    };
  }
}

/** All connections in the order in which they were opened, and by id. */
export class ManagedConnections extends Set<ManagedConnection> {
  readonly #byId = new Map<string, ManagedConnection[]>();
  readonly #idle: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param idle How long a connection may go without an event, in milliseconds. */
  constructor(idle: number) {
    super();
    this.#idle = idle;
  }

  of(id: string): readonly ManagedConnection[] {
    return this.#byId.get(id) ?? [];
  }

  override add(connection: ManagedConnection): this {
    this.#byId.set(connection.id, [...this.of(connection.id), connection]);
    super.add(connection);
    this.#wake();
    return this;
  }

  override delete(connection: ManagedConnection): boolean {
    const others = this.of(connection.id).filter((other) => other !== connection);
    if (others.length > 0) this.#byId.set(connection.id, others);
    else this.#byId.delete(connection.id);
    return super.delete(connection);
  }

  end(connection: ManagedConnection, reason: string): void {
    this.delete(connection);
    connection.source?.close(reason);
  }

  #wake(): void {
    if (this.#idle === Number.POSITIVE_INFINITY) return;
    this.#timer ??= unrefTimeout(() => this.#look(), checkInterval(this.#idle));
  }

  #look(): void {
    this.#timer = undefined;
    const latest = now() - this.#idle;
    for (const connection of this) if (connection.lastEvent <= latest) this.end(connection, "idle");
    if (this.size > 0) this.#wake();
  }
}
