/**
 * Marks a response that a source is to be written to, also before its header has left. Shared by every copy of the package
 * in a process.
 */
const taken: symbol = Symbol.for("sourcecast.taken");

export function markTaken(response: object): void {
  Object.defineProperty(response, taken, { value: true });
}

export function isTaken(response: object): boolean {
  return taken in response;
}
