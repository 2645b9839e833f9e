// The event bus of servers for MCP from 2026-07-28 on: a change in one process reaches the clients of all.
import { aFunction, aName, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import { internalsOf } from "../hub/internals.ts";
import { reportError } from "../hub/lifetime/report.ts";

/** A `ServerEvent` of `@modelcontextprotocol/server`, typed by structure. */
export interface McpServerEvent {
  /** `tools_list_changed`, `prompts_list_changed`, `resources_list_changed` or `resource_updated`. */
  kind: string;
}

/** The options of {@link eventBus}. */
export interface EventBusOptions {
  /** The channel of the events. @default "mcp/events" */
  channel?: string;
  /** Called with an event that could not be published, and with the error of a listener. @default console.error */
  onError?: (error: unknown) => void;
}

/** The `ServerEventBus` of `@modelcontextprotocol/server`. */
export interface McpEventBus<Event extends McpServerEvent> {
  /** Publishes an event to the listeners of all processes. */
  publish(event: Event): void;
  /** @returns A function that removes the listener. */
  subscribe(listener: (event: Event) => void): () => void;
}

/** The changes that a listener may have missed. Each makes a client load a list again, which does no harm. */
const allLists: readonly McpServerEvent[] = [
  { kind: "tools_list_changed" },
  { kind: "prompts_list_changed" },
  { kind: "resources_list_changed" },
];

const checks: OptionChecks<EventBusOptions> = { channel: aName, onError: aFunction };

/**
 * Creates the event bus of a server with several processes, for the option `bus` of `createMcpHandler`. Its events are not
 * replayed to clients that connect later: that is what the protocol expects. A listener that may have missed events is told that
 * all lists have changed.
 *
 * @param hub A hub whose log all processes share.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { eventBus } from "sourcecast/mcp";
 *
 * const hub = createHub();
 * const bus = eventBus(hub);
 *
 * const received = new Promise((resolve) => bus.subscribe(resolve));
 * bus.publish({ kind: "tools_list_changed" });
 * console.log(await received); // { kind: 'tools_list_changed' }
 * await hub.close();
 * ```
 */
export function eventBus<Event extends McpServerEvent = McpServerEvent>(
  hub: object,
  options: EventBusOptions = {},
): McpEventBus<Event> {
  checkOptions(options, checks, "eventBus()");
  const internals = internalsOf(hub);
  if (internals === undefined) throw optionError("hub", hub, "a hub of createHub()");
  const { channel = "mcp/events", onError = (error: unknown) => reportError(error, { stage: "publish" }) } = options;
  return {
    publish(event) {
      const entry = { channel, type: "message", data: JSON.stringify(event) };
      internals.log.append([entry]).then(() => internals.countPublished(1), onError);
    },
    subscribe(listener) {
      return internals.channel(channel).subscribe((event) => {
        if (event.type === "message") listener(event.json<Event>());
        else if (event.type !== "sse:end") for (const change of allLists) listener(change as Event);
      });
    },
  };
}
