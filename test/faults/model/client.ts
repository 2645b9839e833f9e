import { StreamRecorder } from "../../support/recorder.ts";
import { Dues } from "./dues.ts";
import type { ClientPlan, CursorKind } from "./history.ts";
import { Judge, type Tolerance } from "./judge.ts";
import { Random } from "./random.ts";
import type { Record } from "./record.ts";
import type { Rights } from "./rights.ts";
import type { Wire } from "./socket.ts";

const nonsense = ["0", "é", "../..", "a.b", "....", "x".repeat(200), "1.2.3.4", "-.-1.0", "e.01.0", "e.1.zz", "*"];
const lineFeed = 10;

/**
 * A client as the standard has it: what it has read decides what its last event was, and of a block that is cut nothing
 * remains. It reads only when it is told to.
 */
export class Client {
  readonly plan: ClientPlan;
  /** The cursor that it sends when it reconnects. */
  lastEventId = "";
  /** Stopped for good: by 204, or by 403. */
  stopped = false;
  wire: Wire | null = null;
  /** Its last reading brought some bytes. */
  hasTaken = false;
  /** Its request is under way, and so far there is no connection. */
  asking = false;
  readonly #judge: Judge;
  #parser = new StreamRecorder();
  /** Every id that it ever had. */
  readonly #ids: string[] = [];

  constructor(plan: ClientPlan, record: Record, rights: Rights, tolerance: Tolerance) {
    this.plan = plan;
    this.#judge = new Judge(new Dues(plan, rights), record, tolerance);
  }

  get connected(): boolean {
    return this.wire !== null;
  }

  get isAhead(): boolean {
    return this.#judge.isAhead;
  }

  get isUpToDate(): boolean {
    return this.#judge.isUpToDate;
  }

  /**
   * The id that it claims as its last event. An application may give a new client any string, or the id of another
   * page.
   */
  cursorOf(kind: CursorKind, pick: number, foreign: readonly string[]): string {
    const random = new Random(pick);
    const own = this.lastEventId;
    if (kind === "old") return this.#ids.length > 0 ? random.pick(this.#ids) : own;
    if (kind === "foreign") return foreign.length > 0 ? random.pick(foreign) : "abcdef123456.3.1f";
    if (kind === "forged") return forge(own === "" ? "abcdef123456.3.1f" : own, random);
    if (kind === "cut") return own.slice(0, random.below(own.length + 1));
    if (kind === "nonsense") return random.pick(nonsense);
    return kind === "none" ? "" : own;
  }

  connect(wire: Wire, lastEventId: string): void {
    this.stopped = false;
    this.wire = wire;
    this.lastEventId = lastEventId;
    this.#parser = new StreamRecorder(lastEventId);
    this.#judge.connect(lastEventId);
  }

  /** Reads this many bytes at most. True if it received anything but keep-alives. */
  read(bytes: number): boolean {
    const { wire } = this;
    this.hasTaken = false;
    if (wire === null) return false;
    const taken = wire.take(bytes);
    this.hasTaken = taken.length > 0;
    let heard = false;
    for (let from = 0; from < taken.length; ) {
      const line = taken.indexOf(lineFeed, from) + 1;
      const to = line === 0 ? taken.length : line;
      if (this.#take(taken.subarray(from, to))) heard = true;
      from = to;
    }
    if (wire.ended) this.#end(wire.status);
    return heard || wire.ended;
  }

  disconnect(): void {
    this.wire?.leave();
    this.wire = null;
  }

  /** It has read everything, and nothing is under way for it. */
  settle(): void {
    this.#judge.settle();
  }

  #take(bytes: Uint8Array): boolean {
    const events = this.#parser.push(bytes);
    const labels = this.#parser.channels.slice(-events.length);
    for (const [index, event] of events.entries()) this.#judge.hear(event, labels[index]);
    const { lastEventId } = this.#parser;
    if (lastEventId === this.lastEventId) return events.length > 0;
    this.#judge.read(lastEventId);
    this.lastEventId = lastEventId;
    this.#ids.push(lastEventId);
    return true;
  }

  #end(status: number): void {
    this.wire = null;
    this.stopped = status === 204 || status === 403;
    if (status === 204) this.#judge.hearOver();
  }
}

/** A third party has changed the cursor, and knows its format. */
function forge(cursor: string, random: Random): string {
  const [epoch = "", offset = "0", witness = "0"] = cursor.split(".");
  const moved = Math.max(0, Number(offset) - 3 + random.below(7));
  return random.pick([
    `${epoch}.${moved}.${witness}`,
    `${epoch}.${moved}.0`,
    `${epoch}.${offset}.${random.below(2 ** 31).toString(16)}`,
    `${epoch}.${Number(offset) + 1_000_000}.${witness}`,
    `abcdef123456.${offset}.${witness}`,
  ]);
}
