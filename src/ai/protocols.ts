// The protocols that are built in, by name.
import { type OptionCheck, optionError } from "../base/options.ts";
import type { RunProtocol } from "./protocol.ts";
import { agUi } from "./protocols/ag-ui.ts";
import { aiSdk } from "./protocols/ai-sdk.ts";
import { anthropic } from "./protocols/anthropic.ts";
import { openai } from "./protocols/openai.ts";
import { text } from "./protocols/text.ts";

/** The protocols that are built in. */
const protocols = { "ai-sdk": aiSdk, "ag-ui": agUi, anthropic, openai, text } as const satisfies Record<
  string,
  RunProtocol
>;

/**
 * The name of a protocol:
 *
 * - `"ai-sdk"`: the UI message stream of the AI SDK, for `useChat`.
 * - `"openai"`: chunks of OpenAI's chat completions, with `[DONE]`.
 * - `"anthropic"`: the events of Anthropic's messages.
 * - `"ag-ui"`: the events of AG-UI.
 * - `"text"`: plain text. The stream reports its state in `sse:*` events, as any stream of a hub does.
 */
export type ProtocolName = "ai-sdk" | "openai" | "anthropic" | "ag-ui" | "text";

/** The protocol of a name, or the application's own. */
export function protocolOf(protocol: ProtocolName | RunProtocol): RunProtocol {
  return typeof protocol === "string" ? protocols[protocol] : protocol;
}

export const aProtocol: OptionCheck = (value, name) => {
  const isKnown = typeof value === "string" ? Object.hasOwn(protocols, value) : isProtocol(value);
  if (isKnown) return;
  const names = Object.keys(protocols).map((known) => `"${known}"`);
  throw optionError(name, value, `${names.join(", ")}, or an object with the methods of a RunProtocol`);
};

function isProtocol(value: unknown): boolean {
  const protocol = value as Readonly<Record<string, unknown>> | null;
  if (typeof protocol !== "object" || protocol === null) return false;
  return ["encode", "merge", "textOf", "failed", "stopped"].every((name) => typeof protocol[name] === "function");
}
