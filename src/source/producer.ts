// A producer of pieces, whatever it is: one way to ask it for the next piece, and one to stop it.
import { quote, SourcecastTypeError } from "../base/errors.ts";

/** A producer of pieces: an async iterable, a web `ReadableStream`, a Node `Readable`, an array. */
export type Pipeable<T> = AsyncIterable<T> | Iterable<T> | ReadableStream<T>;

/** A producer that has been opened. */
export interface Producer<T> {
  /** Asks for the next piece. */
  next(): Promise<IteratorResult<T>>;
  /** The producer has ended on its own, so `stop` has nothing to do. */
  finished(): void;
  /** Stops the producer, unless it has ended. Throws nothing, and waits for nothing. */
  stop(): void;
}

/** @throws {SourcecastTypeError} for a value that has no pieces. A string has characters, which are rarely meant. */
export function assertPipeable(pieces: unknown): void {
  const source = pieces as Partial<AsyncIterable<unknown> & Iterable<unknown> & ReadableStream> | null | undefined;
  const ways = [source?.getReader, source?.[Symbol.asyncIterator], source?.[Symbol.iterator]];
  if (typeof pieces !== "string" && ways.some((way) => typeof way === "function")) return;
  throw new SourcecastTypeError(
    "ERR_SSE_PIPE",
    `Piping takes an async iterable, a ReadableStream, a Readable or an iterable of pieces, but got ${quote(pieces)}`,
  );
}

/**
 * Opens a producer.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_PIPE` for a value that cannot be piped.
 */
export function openProducer<T>(pieces: Pipeable<T>): Producer<T> {
  const source = pieces as Partial<AsyncIterable<T> & Iterable<T> & ReadableStream<T> & { destroy(): unknown }>;
  let ended = false;
  const finished = (): void => {
    ended = true;
  };
  // A web stream first: not every runtime makes it iterable, and only a reader can cancel while a read is under way.
  if (typeof source.getReader === "function") {
    const reader = source.getReader();
    return {
      next: () => reader.read() as Promise<IteratorResult<T>>,
      finished,
      stop: () => void (ended ? reader.releaseLock() : reader.cancel().catch(ignore)),
    };
  }
  const iterator = (source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.()) as Iterator<T> | AsyncIterator<T>;
  return {
    next: async () => iterator.next(),
    finished,
    stop() {
      if (ended) return;
      // A generator that waits for its producer returns only after that; a Node Readable can be stopped right away.
      if (typeof source.destroy === "function") source.destroy();
      // An error that a producer throws while it is stopped has no reader.
      void (async () => iterator.return?.())().catch(ignore);
    },
  };
}

function ignore(): void {}
