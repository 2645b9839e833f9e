// A contract that both ends use must accept its own output after JSON, and make an equal value of it.
import { quote } from "../base/errors.ts";
import { warnOnce } from "../base/warn.ts";
import type { AnyContract } from "./contract.ts";

/** The types of each contract that were checked. A contract itself has no state. */
const checkedTypes = new WeakMap<AnyContract, Set<string>>();

/**
 * Warns at the first event of a type if a client under the same contract could not read it back. Later events of the
 * type cost one look-up.
 *
 * @param value The output of the schema.
 */
export function warnUnlessRoundTrip(contract: AnyContract, type: string, value: unknown): void {
  let types = checkedTypes.get(contract);
  if (types === undefined) {
    types = new Set();
    checkedTypes.set(contract, types);
  }
  if (types.has(type)) return;
  types.add(type);
  const warn = (problem: string | null) => {
    if (problem !== null) warnOnce(`round trip ${type}`, `${problem}. ${remedy}`);
  };
  const problem = roundTripProblem(contract, type, value);
  if (typeof problem === "object" && problem !== null) void problem.then(warn);
  else warn(problem);
}

/**
 * Why a client under the same contract could not read an event back, or `null` if it could. A promise, which never rejects, if
 * the schema is asynchronous.
 *
 * @param value The output of the schema.
 * @throws {SourcecastTypeError} for a value that JSON has no form for.
 */
export function roundTripProblem(
  contract: AnyContract,
  type: string,
  value: unknown,
): string | null | Promise<string | null> {
  const sent = contract.encode(type, value);
  const compare = (again: unknown): string | null => {
    if (contract.encode(type, again) === sent) return null;
    return `The schema of the event ${quote(type)} changes its own output: ${quote(sent)} becomes ${quote(contract.encode(type, again))}`;
  };
  const explain = (error: unknown): string => {
    const message = String((error as { message?: unknown } | null)?.message ?? error);
    return `The schema of the event ${quote(type)} rejects its own output after JSON, ${quote(sent)}: ${message}`;
  };
  try {
    const again = contract.validate(type, contract.decode(type, sent));
    return isPromise(again) ? again.then(compare).catch(explain) : compare(again);
  } catch (error) {
    return explain(error);
  }
}

const remedy =
  "A client that shares the contract cannot read such events. " +
  'Let the schema take and return values of JSON, for instance a string in place of a Date; checkContract() of "sourcecast/testing" checks samples';

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
