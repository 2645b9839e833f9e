// A chunk in slices: a server, or a proxy that buffers, may deliver a million events in one chunk.

/** Characters or bytes, as many as a chunk of `fetch` usually has. */
const sliceLength = 65_536;

/**
 * A chunk in slices that are parsed one at a time, so that no more than the events of one slice wait for a slow consumer. A
 * chunk of the usual size is not copied.
 */
export function* slicesOf<Chunk extends Uint8Array | string>(chunk: Chunk): Generator<Chunk, void, undefined> {
  if (chunk.length <= sliceLength) yield chunk;
  else {
    for (let at = 0; at < chunk.length; at += sliceLength) {
      const end = at + sliceLength;
      yield (typeof chunk === "string" ? chunk.slice(at, end) : chunk.subarray(at, end)) as Chunk;
    }
  }
}
