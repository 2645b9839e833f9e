// The events of Anthropic's messages: https://docs.anthropic.com/en/api/messages-streaming
import type { RunEvent, RunProtocol } from "../protocol.ts";
import { assertTyped, type Fields, fieldsOf, mergeDeltas, textIn } from "./json.ts";

/** The types of deltas, with the field that grows. */
const deltas: Readonly<Record<string, string>> = {
  text_delta: "text",
  thinking_delta: "thinking",
  input_json_delta: "partial_json",
};

const form = "events of a message stream, such as those of messages.create({ stream: true })";

export const anthropic: RunProtocol = {
  headers: {},
  // `message_stop` is the last event of the producer.
  end: false,
  encode: (piece) => named(assertTyped(piece, form)),
  merge(event, next) {
    const [first, second] = [fieldsOf(event), fieldsOf(next)];
    if (first.type !== "content_block_delta" || second.type !== first.type || first.index !== second.index) return null;
    const field = deltas[textIn(first.delta, "type")];
    if (field === undefined) return null;
    const delta = mergeDeltas(first.delta as Fields, (second.delta ?? {}) as Fields, ["type"], field);
    return delta && named({ ...first, type: first.type, delta });
  },
  textOf({ data }) {
    const { type, delta } = data as Fields;
    return type === "content_block_delta" && textIn(delta, "type") === "text_delta" ? textIn(delta, "text") : "";
  },
  failed: (text) => [named({ type: "error", error: { type: "api_error", message: text } })],
  stopped: () => [named({ type: "message_stop" })],
};

function named(data: Fields & { readonly type: string }): RunEvent {
  return { type: data.type, data };
}
