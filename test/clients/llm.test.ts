/** The published clients of model providers read runs: to the end, over a lost connection, and through a failure. */
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { createRuns, type ProtocolName, type Runs } from "../../src/ai/index.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { loadClients } from "../support/published-clients.ts";
import { agUiClient } from "./published/ag-ui.ts";
import { ai, transportOf } from "./published/ai.ts";
import { aiSdkReact } from "./published/ai-sdk-react.ts";
import { anthropic } from "./published/anthropic.ts";
import type { Any, PublishedClient } from "./published/client.ts";
import { openai } from "./published/openai.ts";

/** By the names of the protocols of runs. */
const clients: Record<string, PublishedClient> = { "ai-sdk": ai, openai, anthropic, "ag-ui": agUiClient };

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

async function* produce(name: string) {
  const { before, word, after } = (clients[name] as PublishedClient).protocol;
  yield* before.map(({ data }) => data);
  for (const [index, one] of words.entries()) {
    if (index === failAfter) throw new Error("no model");
    yield word(one).data;
    await wait();
  }
  yield* after.map(({ data }) => data);
}

beforeAll(async () => {
  load = await loadClients();
});

beforeAll(async () => {
  hub = createHub({ keepAlive });
  const names = Object.keys(clients);
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

/** The text that a client reads. Rejects with the error that its application gets. */
async function textOf({ read }: PublishedClient, name: string, chat: string): Promise<string> {
  let received = "";
  const onWord = (word: string) => {
    received += word;
  };
  await read({ url: `${origin}/${name}/${chat}`, load, onWord, again: false });
  return received;
}

async function textOfMessage(stream: ReadableStream): Promise<string> {
  const { readUIMessageStream } = await load("ai");
  let message: Any;
  for await (message of readUIMessageStream({ stream, terminateOnError: true }));
  return message.parts.find(({ type }: { type: string }) => type === "text").text;
}

const readers = [...Object.entries(clients), ["ai-sdk", aiSdkReact] as const];

describe.each(readers.map(([name, client]) => ({ name, client })))("$name, $client.package", ({ name, client }) => {
  const chat = (state: string) => `${state}-${client.package.replaceAll("/", "-")}`;
  const read = (state: string) => textOf(client, name, chat(state));

  test("reads a run to its end, through pauses and other traffic", async () => {
    expect(await read("whole")).toBe(text);
    expect(await runs[name]?.state(chat("whole"))).toBe("ended");
  });

  test("reports the failure of a producer as its own error", async () => {
    failAfter = 2;
    await expect(read("failed")).rejects.toThrow("The answer could not be completed");
  });
});

test("useChat's transport resumes a run from its start, any number of times, and gets null after its end", async () => {
  const transport = await transportOf({ url: `${origin}/ai-sdk/resumed`, load });
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
