// The exit codes of the command. Scripts branch on them, so they are as stable as the names of the package.

/**
 * The exit codes; {@link exitMeanings} explains them. A reader of a pipe that leaves is not a failure: `| head` is how users
 * look at the first events, and `set -o pipefail` would make a script stop there.
 */
export const exitCodes = {
  done: 0,
  failed: 1,
  /** As in most commands of Unix. */
  usage: 2,
  timeout: 3,
  /** A script that waits for three events must not mistake two for success. */
  incomplete: 4,
  /** 128 and the number of the signal, as shells have it. */
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/** One line of the help for each exit code. */
export const exitMeanings: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "the server ended the stream, --count was reached, or the reader of the pipe left"],
  ["1", "the server rejected the request, did not send an event stream, or output failed"],
  ["2", "wrong arguments"],
  ["3", "--timeout passed"],
  ["4", "the stream ended before --count was reached"],
  ["130, 143", "interrupted by SIGINT, SIGTERM"],
];
