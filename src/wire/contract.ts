// defineEvents(): the events of an application and the schemas of their data, shared by server and client.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { describeIssues, EventContractError } from "./contract-error.ts";
import { deserialize } from "./decode.ts";
import { assertEvent, assertNotReserved, type Replacer, serializeJson } from "./encode.ts";
import type { EventData, EventMap, EventType } from "./event-types.ts";
import type { JsonOf } from "./json.ts";
import type { InferInput, InferOutput, StandardIssue, StandardResult, StandardSchemaV1 } from "./standard-schema.ts";
import { isText, text } from "./text.ts";

export type { InferInput, InferOutput, JsonOf, StandardIssue, StandardResult, StandardSchemaV1 };
export { EventContractError, text };

/** A schema for the data of each event. */
export type EventSchemas = Readonly<Record<string, StandardSchemaV1>>;

/**
 * The events that may be sent, each with its data: `dispatch` takes the `Input`, and the `Output` goes on the wire as JSON.
 * Frozen and without state, so that server and client can share one.
 */
// biome-ignore lint/suspicious/noExplicitAny: a sender does not need to know the output of its schemas
export interface EventContract<Input extends EventMap, Output extends EventMap = any> {
  /** The event types, in the order in which they were defined. */
  readonly types: readonly EventType<Input>[];
  /**
   * Checks the data of an event.
   *
   * @returns The output of the schema; a promise if the schema is asynchronous.
   * @throws {EventContractError} for a type that is not in the contract, and for data that the schema rejects. An
   * asynchronous schema rejects the promise.
   */
  validate<T extends EventType<Input>>(type: T, data: unknown): EventData<Output, T> | Promise<EventData<Output, T>>;
  /**
   * As {@link validate}, for callers that cannot wait.
   *
   * @throws {EventContractError} also if the schema is asynchronous.
   */
  validateSync<T extends EventType<Input>>(type: T, data: unknown): EventData<Output, T>;
  /**
   * The data of an event on the wire: text as it is, `undefined` as empty data, anything else as JSON, strings quoted.
   *
   * @param value The output of the schema: see {@link validate}.
   * @param replacer As in `JSON.stringify`, for events that are JSON.
   * @param space As in `JSON.stringify`, for events that are JSON.
   * @throws {SourcecastTypeError} for a value that JSON has no form for.
   * @throws {EventContractError} for a type that is not in the contract.
   */
  encode<T extends EventType<Input>>(
    type: T,
    value: EventData<Output, T>,
    replacer?: Replacer,
    space?: string | number,
  ): string;
  /**
   * The inverse of {@link encode}: the value as JSON knows it. It is not validated.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_DATA` for data that is not JSON.
   * @throws {EventContractError} for a type that is not in the contract.
   */
  decode<T extends EventType<Input>>(type: T, data: string): JsonOf<EventData<Output, T>>;
  /** For inference alone: not there at run time. */
  readonly "~types"?: { readonly input: Input; readonly output: Output } | undefined;
}

/** Some contract. */
// biome-ignore lint/suspicious/noExplicitAny: a contract of any events
export type AnyContract = EventContract<any>;

/** The data that `dispatch` takes under a contract, by event type: the parameter of a source, a set or a hub. */
export type EventsOf<C> = C extends { readonly "~types"?: { readonly input: infer E extends object } | undefined }
  ? E
  : never;

/** The output of the schemas of a contract, by event type: the data before it becomes JSON. */
export type OutputEventsOf<C> = C extends {
  readonly "~types"?: { readonly output: infer E extends object } | undefined;
}
  ? E
  : never;

/** The data that a client receives under a contract, by event type: the output of the schemas after JSON. */
export type ClientEventsOf<C> = { [T in keyof OutputEventsOf<C>]: JsonOf<OutputEventsOf<C>[T]> };

/**
 * Defines the events of an application by a schema for the data of each, of any library that implements Standard Schema.
 *
 * @throws {SourcecastTypeError} for an event type that cannot be written or is reserved, and for a value that is not a schema.
 * @example
 * ```ts
 * import { EventSource } from "sourcecast";
 * import { defineEvents } from "sourcecast/contract";
 * import { z } from "zod";
 *
 * const events = defineEvents({ headline: z.object({ title: z.string() }) });
 *
 * export function GET(request: Request): Response {
 *   const source = new EventSource(request, { events });
 *   source.dispatch("headline", { title: "Rain tomorrow" });
 *   return source.response();
 * }
 * ```
 * @see https://standardschema.dev
 */
export function defineEvents<S extends EventSchemas>(
  schemas: S,
): EventContract<{ -readonly [T in keyof S]: InferInput<S[T]> }, { -readonly [T in keyof S]: InferOutput<S[T]> }> {
  if (typeof schemas !== "object" || schemas === null) {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The events are ${quote(schemas)}; pass an object with a schema for each event type`,
    );
  }
  // A map, so that the names that every object inherits, such as "constructor", are unknown.
  const known = new Map(Object.entries(schemas));
  for (const [type, schema] of known) {
    assertNotReserved(type);
    assertEvent(type);
    assertSchema(type, schema);
  }
  return freeze(known) as ReturnType<typeof defineEvents<S>>;
}

function freeze(schemas: ReadonlyMap<string, StandardSchemaV1>): EventContract<Record<string, unknown>> {
  const types = Object.freeze([...schemas.keys()]);
  const schemaOf = (type: string): StandardSchemaV1 => {
    const schema = schemas.get(type);
    if (schema !== undefined) return schema;
    assertNotReserved(type);
    throw new EventContractError(
      `The event type ${quote(type)} is not in the contract; it has ${types.map(quote).join(", ") || "none"}`,
    );
  };
  return Object.freeze({
    types,
    validate(type: string, data: unknown) {
      const result = schemaOf(type)["~standard"].validate(data);
      return isPromise(result) ? result.then((settled) => outputOf(type, settled)) : outputOf(type, result);
    },
    validateSync(type: string, data: unknown) {
      const result = schemaOf(type)["~standard"].validate(data);
      if (!isPromise(result)) return outputOf(type, result);
      result.then(undefined, ignore); // It is not awaited: its failure must not be unhandled.
      throw new EventContractError(
        `The schema of the event ${quote(type)} is asynchronous, which a source and a set cannot wait for; ` +
          "dispatch it on a channel of a hub, or make the schema synchronous",
      );
    },
    encode(type: string, value: unknown, replacer?: Replacer, space?: string | number) {
      if (isText(schemaOf(type))) return value as string;
      return value === undefined ? "" : serializeJson(value, replacer, space);
    },
    decode(type: string, data: string) {
      return (isText(schemaOf(type)) ? data : deserialize(data)) as never;
    },
  });
}

function assertSchema(type: string, schema: unknown): asserts schema is StandardSchemaV1 {
  // Some schemas are functions.
  const standard = (schema as Partial<StandardSchemaV1> | null | undefined)?.["~standard"];
  if (standard?.version === 1 && typeof standard.validate === "function") return;
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The schema of the event ${quote(type)} is ${quote(schema)}; pass one that implements Standard Schema 1, ` +
      "as those of zod from 3.24, valibot from 1.0 and arktype from 2.0 do",
  );
}

function outputOf(type: string, result: StandardResult<unknown>): unknown {
  if (typeof result !== "object" || result === null || !areIssues(result.issues)) {
    throw new EventContractError(
      `The schema of the event ${quote(type)} does not keep to Standard Schema: validate() returned ${quote(result)}; ` +
        "return { value }, or { issues } with a list of objects",
    );
  }
  if (result.issues === undefined) return result.value;
  throw new EventContractError(
    `The data of the event ${quote(type)} does not fit its schema: ${describeIssues(result.issues)}`,
    result.issues,
  );
}

/** Of a schema that was written by hand, anything may come. */
function areIssues(issues: unknown): boolean {
  const isIssue = (issue: unknown): boolean => typeof issue === "object" && issue !== null;
  return issues === undefined || (Array.isArray(issues) && issues.every(isIssue));
}

function isPromise<T>(result: T | Promise<T>): result is Promise<T> {
  return typeof (result as { then?: unknown } | null | undefined)?.then === "function";
}

function ignore(): void {}
