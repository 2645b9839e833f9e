// Plain text: each piece is data of an event. A client that reads `sse:*` events knows the state of the stream.
import { quote } from "../../base/errors.ts";
import type { RunEvent, RunProtocol } from "../protocol.ts";

export const text: RunProtocol = {
  headers: {},
  encode(piece) {
    if (typeof piece === "string") return piece === "" ? null : message(piece);
    throw new TypeError(`The producer yielded ${quote(piece)}; the protocol "text" takes strings`);
  },
  merge: (event, next) => (isText(event) && isText(next) ? message(`${event.data}${next.data}`) : null),
  textOf: (event) => (isText(event) ? String(event.data) : ""),
  // Not "error": an EventSource calls `onerror` for an event of that name.
  failed: (reason) => [{ type: "failed", data: { message: reason } }],
  stopped: () => [{ type: "stopped", data: {} }],
};

function isText({ type, data }: RunEvent): boolean {
  return type === "message" && typeof data === "string";
}

function message(data: string): RunEvent {
  return { type: "message", data };
}
