// Checks by samples that both ends of a stream can use a contract.
import { quote, SourcecastError, SourcecastTypeError } from "../base/errors.ts";
import { anObject } from "../base/options.ts";
import type { EventContract } from "../wire/contract.ts";
import { aContract } from "../wire/contract-check.ts";
import type { EventData, EventMap, EventType } from "../wire/event-types.ts";
import { roundTripProblem } from "../wire/round-trip.ts";

/** One sample of the data of each event, or a list of samples. Data that is an array itself goes into a list. */
export type ContractSamples<E extends EventMap> = {
  readonly [T in EventType<E>]: EventData<E, T> | readonly EventData<E, T>[];
};

/**
 * Checks that each schema of a contract accepts its own output after JSON and returns an equal value, so that a client under
 * the same contract reads the events that a server dispatches. A plain `z.date()` does not: the date arrives as a string.
 *
 * @param samples The data that `dispatch` takes, for each event of the contract.
 * @throws {SourcecastError} `ERR_SSE_CONTRACT`, with a line for each event type that fails.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an event type without a sample, and for anything but a contract.
 * @example
 * ```ts
 * import { defineEvents } from "sourcecast/contract";
 * import { checkContract } from "sourcecast/testing";
 * import { z } from "zod";
 *
 * const events = defineEvents({ headline: z.object({ title: z.string(), at: z.iso.datetime() }), viewers: z.number() });
 *
 * await checkContract(events, {
 *   headline: { title: "Rain tomorrow", at: new Date().toISOString() },
 *   viewers: [0, 12],
 * });
 * ```
 */
export async function checkContract<E extends EventMap>(
  contract: EventContract<E>,
  samples: ContractSamples<NoInfer<E>>,
): Promise<void> {
  aContract(contract, "contract");
  anObject(samples, "samples");
  const problems: string[] = [];
  for (const type of contract.types) {
    for (const sample of samplesOf(samples as Readonly<Record<string, unknown>>, type)) {
      const problem = await problemOf(contract, type, sample);
      if (problem === null) continue;
      // One line for each type: further samples of it mostly fail for the same reason.
      problems.push(problem);
      break;
    }
  }
  if (problems.length > 0) throw new SourcecastError("ERR_SSE_CONTRACT", problems.join("\n"));
}

async function problemOf<E extends EventMap>(
  contract: EventContract<E>,
  type: EventType<E>,
  sample: unknown,
): Promise<string | null> {
  try {
    return await roundTripProblem(contract, type, await contract.validate(type, sample));
  } catch (error) {
    return String((error as { message?: unknown } | null)?.message ?? error);
  }
}

function samplesOf(samples: Readonly<Record<string, unknown>>, type: string): readonly unknown[] {
  // An event may be named as a property of Object.prototype, such as `constructor`.
  const given = Object.hasOwn(samples, type) ? samples[type] : [];
  const list = Array.isArray(given) ? given : [given];
  if (list.length > 0) return list;
  throw new SourcecastTypeError("ERR_SSE_OPTION", `There is no sample for the event ${quote(type)}; pass at least one`);
}
