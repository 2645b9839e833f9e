/** The published clients of model providers read runs: to the end, over a lost connection, and through a failure. */
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { createRuns, type ProtocolName, type Runs } from "../../src/ai/index.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { loadClients } from "../support/published-clients.ts";

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed by the test, without their types
type Any = any;

const keepAlive = 100;
const words = ["Once ", "upon ", "a\n", "time 😀"];
const text = words.join("");
let load: (specifier: string) => Promise<Any>;
let hub: Hub;
let runs: Record<string, Runs>;
let origin: string;
let close: () => Promise<void>;
/** Between two words, and before the end: longer than the keep-alive, with other traffic in the log. */
let wait: () => Promise<void>;
let failAfter = Number.POSITIVE_INFINITY;

const usage = { input_tokens: 1, output_tokens: 1 };
const chunk = (delta: object, finish_reason: string | null = null) => ({
  id: "c",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, finish_reason }],
});

/** The events around the words, in each protocol. */
const protocols: Record<string, { before: object[]; word(text: string): object; after: object[] }> = {
  "ai-sdk": {
    before: [
      { type: "start", messageId: "m" },
      { type: "text-start", id: "1" },
    ],
    word: (delta) => ({ type: "text-delta", id: "1", delta }),
    after: [{ type: "text-end", id: "1" }, { type: "finish" }],
  },
  openai: { before: [], word: (content) => chunk({ content }), after: [chunk({}, "stop")] },
  anthropic: {
    before: [
      {
        type: "message_start",
        message: { id: "m", type: "message", role: "assistant", content: [], model: "m", stop_reason: null, usage },
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    ],
    word: (word) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: word } }),
    after: [
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage },
      { type: "message_stop" },
    ],
  },
  "ag-ui": {
    before: [
      { type: "RUN_STARTED", threadId: "t", runId: "r" },
      { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
    ],
    word: (delta) => ({ type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta }),
    after: [
      { type: "TEXT_MESSAGE_END", messageId: "m" },
      { type: "RUN_FINISHED", threadId: "t", runId: "r" },
    ],
  },
};

async function* produce(name: string) {
  const { before, word, after } = protocols[name] as (typeof protocols)[string];
  yield* before;
  for (const [index, one] of words.entries()) {
    if (index === failAfter) throw new Error("no model");
    yield word(one);
    await wait();
  }
  yield* after;
}

beforeAll(async () => {
  load = await loadClients();
});

beforeAll(async () => {
  hub = createHub({ keepAlive });
  const names = Object.keys(protocols);
  const options = { hub, gather: 0, onError: () => {} };
  runs = Object.fromEntries(names.map((name) => [name, createRuns({ ...options, protocol: name as ProtocolName })]));
  // Every protocol has an address, and every test a chat.
  const server = createServer(async (req, res) => {
    const [, name = "", chat = ""] = (req.url ?? "").split("/");
    const own = runs[name] as Runs;
    const subscription = req.method === "POST" ? await own.begin(chat, () => produce(name)) : await own.find(chat);
    if (subscription === null) res.writeHead(req.method === "POST" ? 409 : 204).end();
    else await respond(hub, req, res, subscription);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  close = async () => {
    await hub.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  wait = async () => {
    await hub.channel("other").dispatch("message", "traffic");
    await new Promise((resolve) => setTimeout(resolve, keepAlive * 1.5));
  };
});
afterAll(() => close());
afterEach(() => {
  failAfter = Number.POSITIVE_INFINITY;
});

/** The text that each client reads, or its error. */
const clients: Record<string, (chat: string) => Promise<string>> = {
  async openai(chat) {
    const { default: OpenAI } = await load("openai");
    const client = new OpenAI({ baseURL: `${origin}/openai/${chat}`, apiKey: "x", maxRetries: 0 });
    let received = "";
    for await (const { choices } of await client.chat.completions.create({ model: "m", messages: [], stream: true }))
      received += choices[0].delta.content ?? "";
    return received;
  },
  async anthropic(chat) {
    const { default: Anthropic } = await load("@anthropic-ai/sdk");
    const client = new Anthropic({ baseURL: `${origin}/anthropic/${chat}`, apiKey: "x", maxRetries: 0 });
    const stream = client.messages.stream({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "?" }] });
    return (await stream.finalMessage()).content[0].text;
  },
  async "ag-ui"(chat) {
    const { HttpAgent } = await load("@ag-ui/client");
    let failure: Error | undefined;
    const onRunErrorEvent = ({ event }: Any) => {
      failure = new Error(event.message);
    };
    const { newMessages } = await new HttpAgent({ url: `${origin}/ag-ui/${chat}` }).runAgent({}, { onRunErrorEvent });
    if (failure !== undefined) throw failure;
    return newMessages[0].content;
  },
  async "ai-sdk"(chat) {
    return textOfMessage(
      await (await transportOf(chat)).sendMessages({ trigger: "submit-message", chatId: chat, messages: [] }),
    );
  },
};

async function transportOf(chat: string): Promise<Any> {
  const { DefaultChatTransport } = await load("ai");
  const api = `${origin}/ai-sdk/${chat}`;
  return new DefaultChatTransport({ api, prepareReconnectToStreamRequest: () => ({ api }) });
}

async function textOfMessage(stream: ReadableStream): Promise<string> {
  const { readUIMessageStream } = await load("ai");
  let message: Any;
  for await (message of readUIMessageStream({ stream, terminateOnError: true }));
  return message.parts.find(({ type }: { type: string }) => type === "text").text;
}

describe.each(Object.keys(clients))("the client of %s", (name) => {
  const read = clients[name] as (chat: string) => Promise<string>;

  test("reads a run to its end, through pauses and other traffic", async () => {
    expect(await read("whole")).toBe(text);
    expect(await runs[name]?.state("whole")).toBe("ended");
  });

  test("reports the failure of a producer as its own error", async () => {
    failAfter = 2;
    await expect(read("failed")).rejects.toThrow("The answer could not be completed");
  });
});

test("useChat's transport resumes a run from its start, any number of times, and gets null after its end", async () => {
  const transport = await transportOf("resumed");
  const first = await transport.sendMessages({ trigger: "submit-message", chatId: "resumed", messages: [] });
  const reader = first.getReader();
  await reader.read();
  // The page is reloaded.
  await reader.cancel();
  const resumed = await Promise.all(
    [1, 2].map(async () => textOfMessage(await transport.reconnectToStream({ chatId: "resumed" }))),
  );
  expect(resumed).toEqual([text, text]);
  expect(await transport.reconnectToStream({ chatId: "resumed" })).toBe(null);
});

test("the adapter of TanStack AI replays a run to another process", async () => {
  const { streamDurability } = await import("../../src/ai/index.ts");
  const { toServerSentEventsResponse, resumeServerSentEventsResponse } = await load("@tanstack/ai");
  const headers = { "x-run-id": "run" };
  const adapter = (init: RequestInit) => streamDurability(hub, new Request(origin, init));
  const response: Response = toServerSentEventsResponse(produce("ag-ui"), {
    durability: { adapter: adapter({ method: "POST", headers }) },
  });
  const whole = await response.text();
  const ids = [...whole.matchAll(/^id: (.+)$/gm)].map(([, id]) => id as string);
  const resumed: Response = resumeServerSentEventsResponse({
    adapter: adapter({ headers: { ...headers, "last-event-id": ids[2] as string } }),
  });
  const after = whole.slice(whole.indexOf(ids[3] as string));
  expect((await resumed.text()).endsWith(after.slice(after.indexOf("data:")))).toBe(true);
});
