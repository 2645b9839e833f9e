// The lock under which the log is written.

/**
 * An expression that takes the lock of the log until the end of the transaction: one writer at a time, in all processes, so
 * offsets are in the order of commits. The statement after it sees everything that was committed before, and the head of the log
 * is the row of the newest entry: the next offset is that of the head plus one. A sequence of the database would hand out
 * offsets before their entries are visible, and would leave holes for transactions that fail.
 *
 * It is an advisory lock. Locking a row of a table would write that row, each time: 5 µs of the 40 that an append takes the server.
 * It belongs to the transaction, so it is safe with a pooler, and a process that dies keeps nothing.
 *
 * @param lock The number of the log. The others of its locks have other second numbers.
 */
export function lockLog(lock: number): string {
  return `pg_advisory_xact_lock(${lock}, 0)`;
}
