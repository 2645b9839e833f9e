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
  const last = chat.messages.at(-1);
  // While an answer is fetched again, its words stay on the page.
  const messages = server.kept && last?.role === "user" ? [...chat.messages, server.kept] : chat.messages;

  return (
    <main>
      <header>
        <div>
          <h1>An answer that survives</h1>
          <p className={server.isUp ? "up" : "down"} role="status">
            {server.isUp ? "connected" : "server gone, retrying"}
          </p>
        </div>
        <nav>
          <button type="button" className="quiet" onClick={() => window.open(location.href, "_blank")}>
            Second window
          </button>
          <button type="button" className="quiet" onClick={() => fetch(`/api/chat/${id}`, { method: "DELETE" })}>
            Delete chat
          </button>
          <button type="button" className="danger" onClick={server.kill}>
            kill -9 the server
          </button>
        </nav>
      </header>
      <ol>
        {messages.length === 0 && (
          <li className="hint">
            Ask something. While the answer arrives, reload this page, open it in a second window and stop it there, or
            kill the server: no word that you have seen is lost.
          </li>
        )}
        {messages.map((message, index) => (
          <Message
            key={message.id}
            message={message}
            isGrowing={isBusy && index === messages.length - 1 && message.role === "assistant"}
          />
        ))}
        {chat.status === "submitted" && messages.at(-1)?.role === "user" && (
          <li className="assistant thinking">thinking</li>
        )}
        {chat.error && server.isUp && !isNoted(last) && (
          <li className="note" role="alert">
            {chat.error.message}
          </li>
        )}
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

/** Follows what other windows do, finds the answer again when the server is back, and learns how an answer has ended. */
function useServer(id, chat, isBusy) {
  const [isUp, setIsUp] = useState(true);
  const [kept, setKept] = useState(null);
  const latest = useRef({ chat, isBusy });
  latest.current = { chat, isBusy };

  useEffect(() => {
    const catchUp = async () => {
      const { chat, isBusy } = latest.current;
      if (isBusy) return;
      chat.clearError();
      const last = chat.messages.at(-1);
      setKept(last?.role === "assistant" ? last : null);
      chat.setMessages(await load(id));
      await chat.resumeStream();
      setKept(null);
    };
    const events = subscribe(`/api/chat/${id}/events`, { retry: { initial: 500, max: 2_000 } });
    events.on("run", catchUp);
    events.on("deleted", () => latest.current.chat.setMessages([]));
    let wasOpen = false;
    events.onStatus(({ state }) => {
      if (state === "open") {
        if (wasOpen) catchUp();
        wasOpen = true;
      }
      setIsUp(state === "open" || !wasOpen);
    });
    return () => events.close();
  }, [id]);

  const wasBusy = useRef(false);
  useEffect(() => {
    const { chat } = latest.current;
    // An answer that has ended is stored, with its outcome. While the server is gone, it cannot be read.
    if (wasBusy.current && !isBusy) load(id).then(chat.setMessages, () => {});
    wasBusy.current = isBusy;
  }, [id, isBusy]);

  return { isUp, kept, kill: () => fetch("/kill", { method: "POST" }).catch(() => {}) };
}

/** The messages that are stored. */
async function load(id) {
  return (await fetch(`/api/chat/${id}/messages`)).json();
}

/** How an answer has ended, if not with its last word. */
const notes = {
  stopped: "You stopped this answer.",
  failed: "The model failed.",
  lost: "The server that wrote this was killed. These are the words that it had published.",
};

function isNoted(message) {
  return notes[message?.metadata?.outcome] !== undefined;
}

function Message({ message, isGrowing }) {
  const text = message.parts
    .filter(({ type }) => type === "text")
    .map(({ text }) => text)
    .join("");
  return (
    <li className={isGrowing ? (text === "" ? "assistant thinking" : "assistant growing") : message.role}>
      {text === "" && isGrowing
        ? "thinking"
        : text.split("\n\n").map((paragraph, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: paragraphs are only added at the end.
            <p key={index}>{inline(paragraph)}</p>
          ))}
      {isNoted(message) && <p className="note">{notes[message.metadata.outcome]}</p>}
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
