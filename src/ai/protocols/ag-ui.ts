// The events of AG-UI: https://docs.ag-ui.com/concepts/events
import type { RunEvent, RunProtocol } from "../protocol.ts";
import { assertTyped, type Fields, fieldsOf, mergeDeltas, textIn } from "./json.ts";

/** The types of deltas, with the field that identifies the part. */
const deltas: Readonly<Record<string, string>> = {
  TEXT_MESSAGE_CONTENT: "messageId",
  REASONING_MESSAGE_CONTENT: "messageId",
  THINKING_TEXT_MESSAGE_CONTENT: "messageId",
  TOOL_CALL_ARGS: "toolCallId",
};

export const agUi: RunProtocol = {
  headers: {},
  // RUN_FINISHED or RUN_ERROR is the last event of the producer.
  end: false,
  encode: (piece) => message(assertTyped(piece, "events of AG-UI, such as { type: EventType.RUN_STARTED, … }")),
  merge(event, next) {
    const part = deltas[textIn(event.data, "type")];
    const merged = part && mergeDeltas(fieldsOf(event), fieldsOf(next), ["type", part], "delta");
    return merged ? message(merged) : null;
  },
  textOf: ({ data }) => (textIn(data, "type") === "TEXT_MESSAGE_CONTENT" ? textIn(data, "delta") : ""),
  failed: (text) => [message({ type: "RUN_ERROR", message: text })],
  // RUN_FINISHED would need the end of every open message before it.
  stopped: () => [message({ type: "RUN_ERROR", message: "The run was stopped", code: "stopped" })],
};

function message(data: Fields): RunEvent {
  return { type: "message", data };
}
