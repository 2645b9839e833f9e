// The policy for a client that reads too slowly: close, drop and declare, or buffer.
import type { CapturedContext } from "../base/async-context.ts";
import { now } from "../base/clock.ts";
import { assertNoPromise, optionError } from "../base/options.ts";
import type { Sink } from "../sinks/sink.ts";
import { encodeControl } from "../wire/control.ts";
import { Frame } from "../wire/frame.ts";
import { SourceErrorEvent, SourceOverflowEvent } from "./lifecycle.ts";
import type { OverflowDecision, ResolvedOptions } from "./options.ts";

/**
 * The policy of one source, created when a frame may not fit for the first time. Dropped events are declared to the client
 * before the next event.
 */
export class OverflowPolicy {
  dropped = 0;
  readonly #sink: Sink;
  readonly #options: ResolvedOptions;
  readonly #context: CapturedContext;
  readonly #tell: (event: SourceOverflowEvent | SourceErrorEvent) => void;
  /** Of those dropped, the ones that the client has not been told of. */
  #undeclared = 0;
  /** True from the first frame that did not fit until the client has caught up. */
  #overflowing = false;

  constructor(
    sink: Sink,
    options: ResolvedOptions,
    context: CapturedContext,
    tell: (event: SourceOverflowEvent | SourceErrorEvent) => void,
  ) {
    this.#sink = sink;
    this.#options = options;
    this.#context = context;
    this.#tell = tell;
  }

  /** Makes room for a frame, or says what is to become of it. */
  admit(frame: Frame): OverflowDecision {
    // The frames of this tick may not have been offered to the platform yet.
    if (!this.#fits(frame)) this.#sink.flush(now());
    const decision = this.#fits(frame) ? "keep" : this.#decide(frame);
    if (decision === "keep") this.declareDropped();
    return decision;
  }

  /** The client has caught up. */
  onDrain(): void {
    this.#overflowing = false;
    this.declareDropped();
  }

  declareDropped(): void {
    if (this.#undeclared === 0) return;
    const missed = this.#undeclared;
    this.#undeclared = 0;
    this.#sink.write(Frame.of(encodeControl("sse:gap", { missed, reason: "overflow", exact: true })));
  }

  #fits(frame: Frame): boolean {
    const { bufferedAmount } = this.#sink;
    return bufferedAmount === 0 || bufferedAmount + frame.byteLength <= this.#options.maxBufferedBytes;
  }

  #decide(frame: Frame): OverflowDecision {
    const { bufferedAmount } = this.#sink;
    if (!this.#overflowing) {
      this.#overflowing = true;
      this.#tell(new SourceOverflowEvent(bufferedAmount, this.dropped));
    }
    const decision = this.#ask(bufferedAmount, frame.byteLength);
    if (decision === "drop") {
      this.dropped++;
      this.#undeclared++;
    }
    return decision;
  }

  #ask(bufferedAmount: number, byteLength: number): OverflowDecision {
    const { onOverflow } = this.#options;
    if (typeof onOverflow !== "function") return onOverflow;
    try {
      const overflow = { bufferedAmount, byteLength, dropped: this.dropped };
      const decision = this.#context.runInAsyncScope(onOverflow, undefined, overflow) ?? "drop";
      assertNoPromise(decision, "onOverflow", '"close", "drop" or "keep"');
      if (decision === "close" || decision === "drop" || decision === "keep") return decision;
      throw optionError("onOverflow", decision, 'a function that returns "close", "drop" or "keep"');
    } catch (error) {
      this.#tell(new SourceErrorEvent(error));
      return "close";
    }
  }
}
