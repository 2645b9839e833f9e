// The mark on a response that a stream is written to.

/**
 * Marks a response that a source is to be written to, also before its header has left. Shared by every copy of the package
 * in a process.
 */
const claimed: unique symbol = Symbol.for("sourcecast.taken");

/** By assignment, which costs less than `Object.defineProperty()`: every connection comes here. */
export function claimResponse(response: object): void {
  (response as { [claimed]?: boolean })[claimed] = true;
}

/** Removes the mark from a response to which nothing was written: the application may use it again. */
export function releaseResponse(response: object): void {
  Reflect.deleteProperty(response, claimed);
}

export function isClaimed(response: object): boolean {
  return claimed in response;
}
