/**
 * State that the console guard (guards.ts) shares with the tests. Both load this file, so the state is per test file.
 */
type Line = string;

const unexpected: Line[] = [];
const rejections: RegExp[] = [];
let expectations: { pattern: RegExp | undefined; lines: Line[] }[] = [];

/**
 * Says that the running test prints. Lines that match are kept out of the guard and given back; a test whose
 * expectation saw nothing fails. Without a pattern all output is expected, none is required.
 *
 * @example
 * const lines = expectConsole(/several processes/);
 * createHub({ log });
 * expect(lines).toHaveLength(1);
 */
export function expectConsole(pattern?: RegExp): readonly string[] {
  const lines: Line[] = [];
  expectations.push({ pattern, lines });
  return lines;
}

/** Says that a package which the running test uses leaves a rejection unhandled, whose text matches. */
export function expectRejection(pattern: RegExp): void {
  rejections.push(pattern);
}

/** Compares the rejections of one test with the expected ones. @internal */
export function settleRejections(texts: readonly string[]): string[] {
  const expected = rejections.splice(0);
  const missing = expected.filter((pattern) => !texts.some((text) => pattern.test(text)));
  return [
    ...texts.filter((text) => !expected.some((pattern) => pattern.test(text))),
    ...missing.map((pattern) => `Expected an unhandled rejection that matches ${pattern}, there was none`),
  ];
}

/** @internal */
export function record(line: Line): void {
  const expectation = expectations.find(({ pattern }) => pattern === undefined || pattern.test(line));
  (expectation?.lines ?? unexpected).push(line);
}

/** Ends the account of one test. @internal */
export function settleConsole(): string[] {
  const problems = unexpected.splice(0).map((line) => `Unexpected output: ${line}`);
  for (const { pattern, lines } of expectations) {
    if (pattern && lines.length === 0) problems.push(`Expected output that matches ${pattern}, there was none`);
  }
  expectations = [];
  return problems;
}
