// OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat-streaming
import type { RunEvent, RunProtocol } from "../protocol.ts";
import { assertObject, type Fields, fieldsOf, textIn } from "./json.ts";

const form = "chunks of a chat completion, such as those of chat.completions.create({ stream: true })";

export const openai: RunProtocol = {
  headers: {},
  end: { type: "message", data: "[DONE]" },
  encode(piece) {
    const chunk = assertObject(piece, form);
    if (Array.isArray(chunk.choices)) return message(chunk);
    throw new TypeError(`The producer yielded an object without choices; it has to yield ${form}`);
  },
  merge(event, next) {
    const [first, second] = [soleTextDelta(event), soleTextDelta(next)];
    if (first === null || second === null || first.index !== second.index || first.chunk.id !== second.chunk.id)
      return null;
    const choice = { ...first.choice, delta: { ...first.delta, content: first.content + second.content } };
    return message({ ...first.chunk, choices: [choice] });
  },
  textOf({ data }) {
    const choices = (data as Fields).choices;
    // Further choices are alternatives, and no part of one text.
    const choice = Array.isArray(choices) ? choices.find((one: Fields | null) => one?.index === 0) : undefined;
    return textIn(choice?.delta, "content");
  },
  failed: (text) => [message({ error: { message: text, type: "server_error", code: null, param: null } })],
  // The protocol has no word for it: the stream ends, as it does for whoever closes the connection.
  stopped: () => [],
};

interface TextDelta {
  readonly chunk: Fields;
  readonly choice: Fields;
  readonly delta: Fields;
  readonly content: string;
  readonly index: unknown;
}

/** The delta of a chunk with one choice, which does nothing but add text. */
function soleTextDelta(event: RunEvent): TextDelta | null {
  const chunk = fieldsOf(event);
  const [choice, ...more] = Array.isArray(chunk.choices) ? (chunk.choices as Fields[]) : [];
  if (choice === undefined || more.length > 0 || hasValue(choice, "finish_reason") || hasValue(choice, "logprobs"))
    return null;
  if (hasValue(chunk, "usage")) return null;
  const delta = choice.delta as Fields | null | undefined;
  const content = delta?.content;
  if (typeof content !== "string" || !Object.keys(delta as Fields).every((name) => name === "content")) return null;
  return { chunk, choice, delta: delta as Fields, content, index: choice.index };
}

function hasValue(fields: Fields, name: string): boolean {
  return fields[name] !== undefined && fields[name] !== null;
}

function message(data: Fields): RunEvent {
  return { type: "message", data };
}
