// Frames in the order in which they were dispatched, some of which are still being rendered.
import { withDeadline } from "../base/deadline.ts";
import type { Frame } from "../wire/frame.ts";

/**
 * The queue of a stream whose render function is asynchronous. A frame that is ready waits for those before it, so that
 * events arrive in the order in which they were dispatched.
 */
export class LateFrames {
  readonly #owner: LateFramesOwner;
  readonly #timeout: number;
  #tail: Promise<void> = Promise.resolve();
  #count = 0;

  /** @param timeout How long one frame may take, in milliseconds: one that never settles must not hold up the others. */
  constructor(owner: LateFramesOwner, timeout: number) {
    this.#owner = owner;
    this.#timeout = timeout;
  }

  /** True if no frame waits. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  add(frame: Frame | Promise<Frame>): void {
    this.#count++;
    const rendered = Promise.resolve(withDeadline(frame, this.#timeout, "render()", "renderTimeout"));
    // Its failure is reported in its turn, and must not count as unhandled until then.
    rendered.catch(() => {});
    this.#tail = this.#tail.then(() => this.#take(rendered));
  }

  /** Resolves when everything that was added has been sent or has failed. */
  settled(): Promise<void> {
    return this.#tail;
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
