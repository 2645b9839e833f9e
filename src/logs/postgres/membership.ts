// This process among those that use the log: the schema is made ready, and all processes have the same options.
import { runDetached } from "../../base/async-context.ts";
import { now, WakeTimer } from "../../base/clock.ts";
import { LogError } from "../../base/errors.ts";
import { makeEpoch } from "../../log/identity.ts";
import type { RetentionLimits } from "../../log/retention.ts";
import type { TransactionQuery } from "./clients.ts";
import { batchCasts } from "./columns.ts";
import type { Connection } from "./connection.ts";
import { prepare } from "./prepare.ts";
import type { Statements } from "./statement.ts";

/** How often a process says that it is there, in milliseconds: a third of the time after which it counts as gone. */
const memberIntervalMs = 10_000;

/** Called by a {@link Membership}. */
export interface MembershipHandlers {
  /** The schema is ready. */
  onEntered(): void;
  /** The process could not say that it is there. */
  onError(error: unknown): void;
}

/**
 * Retention is shared: the process with the lowest limits would trim what the others promise to keep. So each process registers
 * with its options, and one with other options is rejected while the registration of another one is fresh. A rolling update
 * that changes the options is to stop the old processes first.
 */
export class Membership {
  /** Identifies this log among all that are open. */
  readonly id: string = makeEpoch();
  readonly #connection: Connection;
  readonly #statements: Statements;
  readonly #handlers: MembershipHandlers;
  /** The limits as text, in a fixed order: the server compares them as they are. */
  readonly #options: string;
  /** Renews the registration. It does not keep the process alive. */
  readonly #timer = new WakeTimer(() => void this.#renew());
  /** `null` before the first call, and after a failure. */
  #entered: Promise<void> | null = null;
  #hasEntered = false;
  /** A renewal that is under way when the log closes must not plan another one. */
  #hasLeft = false;

  constructor(connection: Connection, statements: Statements, limits: RetentionLimits, handlers: MembershipHandlers) {
    this.#connection = connection;
    this.#statements = statements;
    this.#handlers = handlers;
    this.#options = JSON.stringify(limits, (_, value) => (value === Number.POSITIVE_INFINITY ? "none" : value));
  }

  /**
   * Resolves when the schema is ready, and this process is registered. After a failure, the next call tries again.
   *
   * @throws {LogError} for a database that the log cannot use, and while another process uses it with other options.
   */
  enter(): Promise<void> {
    if (this.#entered === null) {
      // Outside of the request that needs the log first: the registration outlives it.
      const entering = runDetached(() => this.#enter());
      this.#entered = entering;
      entering.catch(() => {
        if (this.#entered === entering) this.#entered = null;
      });
    }
    return this.#entered;
  }

  /**
   * The same from within a transaction of the application. The first publish of a process looks for the schema in the transaction
   * itself: where that holds the only connection, as with PGlite, it would wait for itself.
   */
  async enterIn(query: TransactionQuery): Promise<void> {
    const entering = this.enter();
    if (this.#hasEntered) return;
    const found = await query(
      // A question that writes nothing and takes no lock. An error here would abort the transaction of the application.
      "SELECT to_regprocedure($1::text)::text AS reply",
      `${this.#statements.names.schema}.enqueue(${batchCasts.join()})`,
    );
    if (found === "") await entering;
    else entering.catch(() => {});
  }

  /** True once the schema is ready. */
  get hasEntered(): boolean {
    return this.#hasEntered;
  }

  /** The schema was removed or changed: the next call looks at it again. */
  expire(): void {
    this.#entered = null;
    this.#hasEntered = false;
  }

  /** A process that cannot say that it leaves counts as gone after a while. */
  async leave(): Promise<void> {
    this.#hasLeft = true;
    this.#timer.stop();
    if (this.#entered === null) return;
    const request = JSON.stringify({ member: this.id });
    await this.#connection.background(this.#statements.call("leave"), request).catch(() => {});
  }

  /** The schema first: it has the table in which the process registers. */
  async #enter(): Promise<void> {
    await prepare(this.#connection, this.#statements.names);
    await this.#register();
    this.#hasEntered = true;
    this.#plan();
    this.#handlers.onEntered();
  }

  /** Says that the process is there, and compares the options. */
  async #register(): Promise<void> {
    const request = JSON.stringify({ member: this.id, options: this.#options });
    const other = await this.#connection.background(this.#statements.call("enter"), request);
    if (other === "") return;
    throw new LogError(
      `Another process uses the log in the schema ${JSON.stringify(this.#statements.names.name)} with other options: ` +
        `${difference(other, this.#options)}; give all processes the same options, or stop the others first (one that was ` +
        "killed counts for 30 seconds)",
      false,
    );
  }

  /** A registration that expired, as in a process that was frozen, is made again. */
  async #renew(): Promise<void> {
    try {
      await this.#register();
    } catch (error) {
      this.#handlers.onError(error);
    }
    this.#plan();
  }

  #plan(): void {
    if (!this.#hasLeft) this.#timer.set(now() + memberIntervalMs);
  }
}

/** The options that differ, as the application names them. */
function difference(theirs: string, ours: string): string {
  const names: Record<string, string> = {
    events: "maxEvents",
    bytes: "maxBytes",
    age: "maxAge",
    window: "idempotencyWindow",
    witnessAge: "witnessAge",
  };
  const other = JSON.parse(theirs) as Record<string, unknown>;
  const own = JSON.parse(ours) as Record<string, unknown>;
  return Object.keys(own)
    .filter((name) => own[name] !== other[name])
    .map((name) => `${names[name] ?? name} is ${other[name]} there, and ${own[name]} here`)
    .join("; ");
}
