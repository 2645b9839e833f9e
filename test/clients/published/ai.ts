/** The transport of the AI SDK, which its chats of every framework use. */
import type { Any, PublishedClient, Reading } from "./client.ts";
import { uiMessages } from "./protocols.ts";

export const ai: PublishedClient = {
  package: "ai",
  api: "`DefaultChatTransport`",
  method: "POST",
  protocol: uiMessages,
  atCut: { error: "TypeError: terminated" },
  async read(reading) {
    const transport = await transportOf(reading);
    // After an error, it resumes as a reloaded page does.
    const stream: AsyncIterable<Any> = reading.again
      ? await transport.reconnectToStream({ chatId: "c" })
      : await transport.sendMessages({ trigger: "submit-message", chatId: "c", messages: [] });
    for await (const { type, delta, errorText } of stream) {
      if (type === "text-delta") reading.onWord(delta);
      if (type === "error") throw new Error(errorText);
    }
  },
};

/** The transport of a chat at one address. */
export async function transportOf({ url: api, load }: Pick<Reading, "url" | "load">): Promise<Any> {
  const { DefaultChatTransport } = await load("ai");
  return new DefaultChatTransport({ api, prepareReconnectToStreamRequest: () => ({ api }) });
}
