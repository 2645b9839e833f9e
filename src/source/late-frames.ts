// Frames in the order in which they were dispatched, some of which are still being rendered.
import { unrefTimeout } from "../base/clock.ts";
import type { Frame } from "../wire/frame.ts";

/** How long the end of a stream waits for markup that is being rendered. */
const renderGraceMs = 10_000;

/**
 * The queue of a stream whose render function is asynchronous. A frame that is ready waits for those before it, so that
 * events arrive in the order in which they were dispatched.
 */
export class LateFrames {
  readonly #owner: LateFramesOwner;
  #tail: Promise<void> = Promise.resolve();
  #count = 0;

  constructor(owner: LateFramesOwner) {
    this.#owner = owner;
  }

  /** True if no frame waits. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  add(frame: Frame | Promise<Frame>): void {
    this.#count++;
    const rendered = Promise.resolve(frame);
    // Its failure is reported in its turn, and must not count as unhandled until then.
    rendered.catch(() => {});
    this.#tail = this.#tail.then(() => this.#take(rendered));
  }

  /** Resolves when everything that was added has been sent or has failed. */
  settled(): Promise<void> {
    return this.#tail;
  }

  /** Resolves when {@link settled} does, or when that takes too long. */
  settledInTime(): Promise<void> {
    return new Promise((resolve) => {
      const timer = unrefTimeout(resolve, renderGraceMs);
      void this.#tail.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #take(rendered: Promise<Frame>): Promise<void> {
    try {
      this.#owner.onRendered(await rendered);
    } catch (error) {
      this.#owner.onRenderError(error);
    } finally {
      this.#count--;
    }
  }
}

/** The stream that a queue belongs to. */
export interface LateFramesOwner {
  onRendered(frame: Frame): void;
  onRenderError(error: unknown): void;
}
