// The UI message stream of the AI SDK, versions 5 to 7: https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
import type { RunEvent, RunProtocol } from "../protocol.ts";
import { assertTyped, type Fields, fieldsOf, mergeDeltas, textIn } from "./json.ts";

/** The delta types, with the fields that identify the part and the field that grows. */
const deltas: Readonly<Record<string, readonly [same: readonly string[], delta: string]>> = {
  "text-delta": [["type", "id"], "delta"],
  "reasoning-delta": [["type", "id"], "delta"],
  "tool-input-delta": [["type", "toolCallId"], "inputTextDelta"],
};

const form = "chunks of a UI message stream, such as those of toUIMessageStream()";

export const aiSdk: RunProtocol = {
  headers: { "x-vercel-ai-ui-message-stream": "v1" },
  end: { type: "message", data: "[DONE]" },
  encode: (piece) => message(assertTyped(piece, form)),
  merge(event, next) {
    const [same, delta] = deltas[textIn(event.data, "type")] ?? [];
    if (same === undefined || delta === undefined) return null;
    const merged = mergeDeltas(fieldsOf(event), fieldsOf(next), same, delta);
    return merged && message(merged);
  },
  textOf: ({ data }) => (textIn(data, "type") === "text-delta" ? textIn(data, "delta") : ""),
  failed: (errorText) => [message({ type: "error", errorText })],
  stopped: () => [message({ type: "abort" })],
};

function message(data: Fields): RunEvent {
  return { type: "message", data };
}
