import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { useEffect, useRef, useState } from "react";
import { subscribe } from "sourcecast/client";

const suggestions = ["What happens when I reload?", "And when the server is killed?", "Can another window stop you?"];

export function Chat({ id, messages: stored }) {
  const [transport] = useState(
    () =>
      new DefaultChatTransport({
        api: "/api/chat",
        // The server has the other messages.
        prepareSendMessagesRequest: ({ id, messages }) => ({ body: { id, message: messages.at(-1) } }),
      }),
  );
  const chat = useChat({ id, messages: stored, transport, resume: true });
  const isBusy = chat.status === "submitted" || chat.status === "streaming";
  const server = useServer(id, chat, isBusy);
  const end = useRef(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: every new word scrolls.
  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [chat.messages, chat.error]);

  return (
    <main>
      <header>
        <h1>An answer that survives</h1>
        <p className={server.isUp ? "up" : "down"}>{server.isUp ? "connected" : "server gone, retrying"}</p>
        <button type="button" className="quiet" onClick={() => window.open(location.href, "_blank")}>
          Second window
        </button>
        <button type="button" className="danger" onClick={server.kill}>
          kill -9 the server
        </button>
      </header>
      <ol>
        {chat.messages.length === 0 && (
          <li className="hint">
            Send a question. While the answer arrives, reload this page, open it in a second window, or kill the server:
            the answer goes on.
          </li>
        )}
        {chat.messages.map((message) => (
          <Message key={message.id} message={message} />
        ))}
        {chat.status === "submitted" && <li className="assistant thinking">thinking</li>}
        {chat.error && server.isUp && <li className="error">{chat.error.message}</li>}
        <li className="end" ref={end} />
      </ol>
      <Composer
        isBusy={isBusy}
        suggestion={suggestions[chat.messages.filter(({ role }) => role === "user").length % suggestions.length]}
        onSend={(text) => chat.sendMessage({ text })}
        onStop={() => fetch(`/api/chat/${id}/stop`, { method: "POST" })}
      />
    </main>
  );
}

/** Follows what other windows do, and finds the answer again when the server is back. */
function useServer(id, chat, isBusy) {
  const [isUp, setIsUp] = useState(true);
  const latest = useRef({ chat, isBusy });
  latest.current = { chat, isBusy };

  useEffect(() => {
    const catchUp = async () => {
      const { chat, isBusy } = latest.current;
      if (isBusy && chat.status !== "error") return;
      const response = await fetch(`/api/chat/${id}/messages`);
      chat.setMessages(await response.json());
      await chat.resumeStream();
    };
    const events = subscribe(`/api/chat/${id}/events`, { retry: { initial: 500, max: 2_000 } });
    events.on("run", catchUp);
    let wasOpen = false;
    events.onStatus(({ state }) => {
      setIsUp(state === "open" || state === "connecting");
      if (state !== "open") return;
      if (wasOpen) catchUp();
      wasOpen = true;
    });
    return () => events.close();
  }, [id]);

  return { isUp, kill: () => fetch("/kill", { method: "POST" }).catch(() => {}) };
}

function Message({ message }) {
  const text = message.parts
    .filter(({ type }) => type === "text")
    .map(({ text }) => text)
    .join("");
  return (
    <li className={message.role}>
      {text.split("\n\n").map((paragraph, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: paragraphs are only added at the end.
        <p key={index}>{inline(paragraph)}</p>
      ))}
    </li>
  );
}

/** The little Markdown that the model writes. */
function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/).map((part, index) => {
    const key = `${index}`;
    if (part.startsWith("**")) return <strong key={key}>{part.slice(2, -2)}</strong>;
    if (part.startsWith("*") && part.length > 1) return <em key={key}>{part.slice(1, -1)}</em>;
    if (part.startsWith("`")) return <code key={key}>{part.slice(1, -1)}</code>;
    return part;
  });
}

function Composer({ isBusy, suggestion, onSend, onStop }) {
  const [text, setText] = useState("");
  const send = (event) => {
    event.preventDefault();
    onSend(text.trim() || suggestion);
    setText("");
  };
  return (
    <form onSubmit={send}>
      <input
        aria-label="Message"
        placeholder={suggestion}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {isBusy ? (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      ) : (
        <button type="submit">Send</button>
      )}
    </form>
  );
}
