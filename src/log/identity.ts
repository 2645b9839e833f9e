// Witnesses and epochs: how one history of a log is told from another.

/** A witness for an entry, or for the origin of an epoch: random, 32 bits, not zero. */
export function makeWitness(): number {
  return Math.floor(Math.random() * 0xffff_ffff) + 1;
}

/** An epoch: random, never used before, 12 characters. */
export function makeEpoch(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 12);
}
