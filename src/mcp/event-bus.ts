// The event bus of servers for MCP from 2026-07-28 on: a change in one process reaches the clients of all.

import { aFunction, aName, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import { internalsOf } from "../hub/internals.ts";
import { reportError } from "../hub/lifetime/report.ts";
import type { ReadEvent } from "../hub/reader/read-event.ts";
import { headCursor } from "../wire/cursor.ts";
import { serializeJson } from "../wire/encode.ts";

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
  /**
   * Calls a listener with every event that is published from now on.
   *
   * @returns A function that removes the listener.
   */
  subscribe(listener: (event: Event) => void): () => void;
}

/** The changes that a listener may have missed. Each makes a client load a list again, which is harmless. */
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
  /** Resolves when every listener so far has its position: an event that is published next is for all of them. */
  let positioned: Promise<unknown> = Promise.resolve();

  const append = async (event: Event): Promise<void> => {
    await positioned;
    await internals.log.append([{ channel, type: "message", data: serializeJson(event) }]);
    internals.countPublished(1);
  };

  return {
    publish: (event) => void append(event).catch(onError),
    subscribe(listener) {
      if (typeof listener !== "function") throw optionError("listener", listener, "a function");
      const removal = new AbortController();
      const onEvent = (event: ReadEvent): void => {
        if (event.type === "message") listener(event.json<Event>());
        else if (event.type !== "sse:end") for (const change of allLists) listener(change as Event);
      };
      // Without a position of its own, it begins when the log can be reached again.
      const position = internals.log.head().then(headCursor, () => undefined);
      const follow = (after: string | undefined): void => {
        internals.channel(channel).subscribe(onEvent, { after, signal: removal.signal });
      };
      positioned = Promise.all([positioned, position.then(follow).catch(onError)]).then(() => undefined);
      return () => removal.abort();
    },
  };
}
