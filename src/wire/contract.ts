// defineEvents(): the events of an application and the schemas of their data, shared by server and client.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { assertEvent, assertNotReserved } from "./encode.ts";
import type { EventData, EventMap, EventType } from "./event-types.ts";
import type { InferInput, InferOutput, StandardIssue, StandardResult, StandardSchemaV1 } from "./standard-schema.ts";

export type { InferInput, InferOutput, StandardIssue, StandardResult, StandardSchemaV1 };

/** A schema for the data of each event. */
export type EventSchemas = Readonly<Record<string, StandardSchemaV1>>;

/**
 * The events that may be sent, each with its data: `Input` is what `dispatch` takes, `Output` what goes on the wire. Frozen
 * and without state: server and client can share one.
 */
// biome-ignore lint/suspicious/noExplicitAny: who sends does not mind what the schemas make of it
export interface EventContract<Input extends EventMap, Output extends EventMap = any> {
  /** The event types, in the order in which they were defined. */
  readonly types: readonly EventType<Input>[];
  /**
   * Checks the data of an event and gives what its schema makes of it; a promise where the schema is asynchronous.
   *
   * @throws {EventContractError} for a type that is not in the contract and for data that the schema refuses; in the promise
   * if there is one.
   */
  validate<T extends EventType<Input>>(type: T, data: unknown): EventData<Output, T> | Promise<EventData<Output, T>>;
  /**
   * As {@link validate}, for those who cannot wait.
   *
   * @throws {EventContractError} also where the schema is asynchronous.
   */
  validateSync<T extends EventType<Input>>(type: T, data: unknown): EventData<Output, T>;
  /** For inference alone: nothing is there at run time. */
  readonly "~types"?: { readonly input: Input; readonly output: Output } | undefined;
}

/** Some contract. */
// biome-ignore lint/suspicious/noExplicitAny: a contract of any events
export type AnyContract = EventContract<any>;

/** What `dispatch` takes under a contract, by event type: the parameter of a source, a set or a hub. */
export type EventsOf<C> = C extends { readonly "~types"?: { readonly input: infer E extends object } | undefined }
  ? E
  : never;

/** What goes on the wire under a contract, by event type, before it becomes JSON. */
export type OutputEventsOf<C> = C extends {
  readonly "~types"?: { readonly output: infer E extends object } | undefined;
}
  ? E
  : never;

/** An event against the contract. */
export class EventContractError extends SourcecastTypeError {
  /** What the schema found. Empty where no schema was asked: the type is unknown, or the schema cannot be waited for. */
  readonly issues: readonly StandardIssue[];

  constructor(message: string, issues: readonly StandardIssue[] = []) {
    super("ERR_SSE_CONTRACT", message);
    this.issues = issues;
  }
}

/**
 * Defines which events there are, by a schema for the data of each: of any library that implements Standard Schema.
 *
 * @throws {SourcecastTypeError} for an event type that cannot be written or is reserved, and for what is no schema.
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
  // A map, so that names every object inherits, such as "constructor", are unknown as others are.
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
  const ask = (type: string, data: unknown): StandardResult<unknown> | Promise<StandardResult<unknown>> => {
    const schema = schemas.get(type);
    if (schema !== undefined) return schema["~standard"].validate(data);
    assertNotReserved(type);
    throw new EventContractError(
      `The event type ${quote(type)} is not in the contract; it has ${types.map(quote).join(", ") || "none"}`,
    );
  };
  return Object.freeze({
    types,
    validate(type: string, data: unknown) {
      const result = ask(type, data);
      return isPromise(result) ? result.then((settled) => outputOf(type, settled)) : outputOf(type, result);
    },
    validateSync(type: string, data: unknown) {
      const result = ask(type, data);
      if (!isPromise(result)) return outputOf(type, result);
      result.then(undefined, ignore); // Nobody waits for it any more.
      throw new EventContractError(
        `The schema of the event ${quote(type)} is asynchronous, which a source and a set cannot wait for; ` +
          "dispatch it on a channel of a hub, or make the schema synchronous",
      );
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
  if (result.issues === undefined) return result.value;
  throw new EventContractError(
    `The data of the event ${quote(type)} does not fit its schema: ${describe(result.issues)}`,
    result.issues,
  );
}

/** How many issues a message names; the error carries all. */
const maxNamedIssues = 10;

function describe(issues: readonly StandardIssue[]): string {
  const texts = issues.slice(0, maxNamedIssues).map(({ message, path = [] }) => {
    const at = describePath(path);
    return at === "" ? message : `${at}: ${message}`;
  });
  if (issues.length > maxNamedIssues) texts.push(`and ${issues.length - maxNamedIssues} more`);
  return texts.join("; ");
}

/** As a program would write it: `lines[0].price`. */
function describePath(path: NonNullable<StandardIssue["path"]>): string {
  let text = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "string" && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) text += text ? `.${key}` : key;
    else text += `[${quote(key)}]`;
  }
  return text;
}

function isPromise<T>(result: T | Promise<T>): result is Promise<T> {
  return typeof (result as { then?: unknown }).then === "function";
}

function ignore(): void {}
