/** `useChat` of the AI SDK, in a component of React. */
import { transportOf } from "./ai.ts";
import type { PublishedClient } from "./client.ts";
import { uiMessages } from "./protocols.ts";

export const aiSdkReact: PublishedClient = {
  package: "@ai-sdk/react",
  api: "`useChat()`",
  method: "POST",
  protocol: uiMessages,
  atCut: { error: "TypeError: terminated" },
  async read(reading) {
    const { load, onWord, again } = reading;
    const { useChat } = await load("@ai-sdk/react");
    const { createElement, useEffect } = await load("react");
    // Otherwise its test renderer prints that it is deprecated.
    Object.assign(globalThis, { IS_REACT_NATIVE_TEST_ENVIRONMENT: true });
    const { create } = await load("react-test-renderer");
    const transport = await transportOf(reading);
    const settled = Promise.withResolvers<void>();
    let received = "";

    function Chat() {
      const { messages, sendMessage, status, error } = useChat({ transport, resume: again });
      useEffect(() => {
        if (!again) void sendMessage({ text: "?" });
      }, []);
      useEffect(() => {
        const parts = messages.at(-1)?.role === "assistant" ? messages.at(-1).parts : [];
        const text = parts.find(({ type }: { type: string }) => type === "text")?.text ?? "";
        if (text.length > received.length) onWord(text.slice(received.length));
        received = text;
        if (status === "error") settled.reject(error);
        if (status === "ready" && messages.at(-1)?.role === "assistant") settled.resolve();
      });
      return null;
    }
    const root = create(createElement(Chat));
    await settled.promise.finally(() => root.unmount());
  },
};
