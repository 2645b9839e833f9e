// The channels of a chat. All of them begin with the same prefix.

/** The channels of one chat. */
export interface ChatChannels {
  /** Which run is the current one, and which one was stopped. */
  readonly index: string;
  /** The events of a run. */
  run(id: string): string;
  /** Signs of life of a run that publishes nothing for a while. */
  lease(id: string): string;
  /** The beginning of the name of every channel of the chat. */
  readonly prefix: string;
  /** The run that one of the channels belongs to; `null` for the index. */
  runOf(channel: string): string | null;
}

/** Longest id of a chat, in its encoded form, that stands in the names of channels as it is. */
const maxPlainLength = 120;

/** The user of the channels: an id of one kind never names the channels of another. */
export type ChatKind = "runs" | "resumable-streams" | "durable-streams";

/** The channels of a chat, for an id of any characters and any length. */
export async function channelsOfChat(kind: ChatKind, chatId: string): Promise<ChatChannels> {
  const prefix = `${kind}/${plainKey(chatId) ?? (await hashKey(chatId))}/`;
  return {
    index: `${prefix}index`,
    run: (id) => `${prefix}run/${id}`,
    lease: (id) => `${prefix}lease/${id}`,
    prefix,
    runOf: (channel) => /^(?:run|lease)\/(.+)$/.exec(channel.slice(prefix.length))?.[1] ?? null,
  };
}

function plainKey(chatId: string): string | null {
  if (!chatId.isWellFormed()) return null;
  // A trailing "*" would make the name a prefix.
  const key = encodeURIComponent(chatId).replaceAll("*", "%2A");
  return key.length <= maxPlainLength ? key : null;
}

/** The "#" keeps it apart from every plain key. The hash is that of the UTF-16 code units: a lone surrogate counts too. */
async function hashKey(chatId: string): Promise<string> {
  const units = Uint16Array.from(chatId, (_, index) => chatId.charCodeAt(index));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", units));
  return `#${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
