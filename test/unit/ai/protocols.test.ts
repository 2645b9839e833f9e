/** Protocols: gathering changes how text is cut into events, and nothing else. */

import { describe, expect, test } from "vitest";
import { Gather } from "../../../src/ai/gather.ts";
import type { RunProtocol } from "../../../src/ai/protocol.ts";
import { type ProtocolName, protocolOf } from "../../../src/ai/protocols.ts";
import fc from "../../support/properties.ts";

/** Pieces of each protocol: deltas of two parts, and other events. */
const pieces: Record<ProtocolName, { delta(part: number, text: string): unknown; others: unknown[] }> = {
  "ai-sdk": {
    delta: (part, delta) => ({ type: "text-delta", id: `${part}`, delta }),
    others: [
      { type: "start", messageId: "1" },
      { type: "reasoning-delta", id: "0", delta: "why" },
      { type: "tool-input-delta", toolCallId: "1", inputTextDelta: "{" },
      { type: "text-delta", id: "0", delta: "", providerMetadata: { a: 1 } },
      { type: "finish" },
    ],
  },
  openai: {
    delta: (_, content) => chunk({ index: 0, delta: { content }, finish_reason: null }),
    others: [
      chunk({ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }),
      chunk({ index: 0, delta: {}, finish_reason: "stop" }),
      chunk({ index: 1, delta: { content: "another" }, finish_reason: null }),
      { id: "1", object: "chat.completion.chunk", choices: [], usage: { total_tokens: 7 } },
    ],
  },
  anthropic: {
    delta: (index, text) => ({ type: "content_block_delta", index, delta: { type: "text_delta", text } }),
    others: [
      { type: "message_start", message: {} },
      { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: "{" } },
      { type: "content_block_delta", index: 0, delta: { type: "citations_delta", citation: {} } },
      { type: "message_stop" },
    ],
  },
  "ag-ui": {
    delta: (part, delta) => ({ type: "TEXT_MESSAGE_CONTENT", messageId: `${part}`, delta }),
    others: [
      { type: "RUN_STARTED", threadId: "1", runId: "1" },
      { type: "TOOL_CALL_ARGS", toolCallId: "1", delta: "{" },
      { type: "RUN_FINISHED", threadId: "1", runId: "1" },
    ],
  },
  text: { delta: (_, text) => text, others: [] },
};

function chunk(choice: object): object {
  return { id: "1", object: "chat.completion.chunk", model: "m", choices: [choice] };
}

const names = Object.keys(pieces) as ProtocolName[];

/** The data of events, each part's text joined: equal for outputs that mean the same. */
function meaning(protocol: RunProtocol, events: readonly { type: string; data: unknown }[]): unknown[] {
  const gather = new Gather(protocol.merge, Number.POSITIVE_INFINITY);
  for (const event of events) gather.add(event);
  return gather.take();
}

describe.each(names)("%s", (name) => {
  const protocol = protocolOf(name);
  const { delta, others } = pieces[name];
  const piece = fc.oneof(
    { weight: 5, arbitrary: fc.record({ part: fc.nat(1), text: fc.string({ minLength: 1, unit: "grapheme" }) }) },
    ...(others.length > 0 ? [{ weight: 1, arbitrary: fc.constantFrom(...others) }] : []),
  );

  test("gathered events mean the same as the pieces, and end the same text", () => {
    fc.assert(
      fc.property(fc.array(piece), fc.nat(100), (drawn, maxSize) => {
        const encoded = drawn.map((one) => {
          const { part, text } = one as { part?: number; text?: string };
          const event = protocol.encode(part === undefined ? one : delta(part, text as string));
          if (event === null) throw new Error("no event");
          return event;
        });
        const gather = new Gather(protocol.merge, maxSize);
        for (const event of encoded) gather.add(event);
        const gathered = gather
          .take()
          .map(({ type, data }) => ({ type, data: name === "text" ? data : JSON.parse(data) }));
        const textOf = (events: typeof encoded) => events.map((event) => protocol.textOf(event)).join("");
        expect(textOf(gathered)).toBe(textOf(encoded));
        expect(meaning(protocol, gathered)).toEqual(meaning(protocol, encoded));
      }),
    );
  });

  test("deltas of one part become one event, and events of other parts stay apart", () => {
    const gather = new Gather(protocol.merge, 1_000);
    const yielded = [delta(0, "a"), delta(0, "b"), ...others.slice(0, 1), delta(0, "c"), delta(0, "d")];
    for (const one of yielded) gather.add(protocol.encode(one) as never);
    const texts = gather.take().map(({ data }) => data.replaceAll(/[^a-d]*([a-d]+)[^a-d]*/g, "$1"));
    expect(texts).toHaveLength(others.length > 0 ? 3 : 1);
  });

  test.each([null, 7, [], () => {}, Symbol("piece"), new Map()])(
    "a piece that is %s is rejected, with the form that is expected",
    (value) => {
      expect(() => protocol.encode(value)).toThrow(/^The producer yielded .*; /);
    },
  );

  test("an error and a stop are events that can be written", () => {
    expect(protocol.failed("no").length).toBeGreaterThan(0);
    const gather = new Gather(null, 1);
    for (const event of [...protocol.failed("no"), ...protocol.stopped()]) gather.add(event);
    expect(gather.take().every(({ data }) => data.length > 0)).toBe(true);
  });
});
