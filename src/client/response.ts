// The meaning of a response: a stream, a reason to retry, or the end.
import { quote } from "../base/errors.ts";
import { StreamError } from "./errors.ts";

/** The meaning of a response. */
export type Verdict =
  | { readonly kind: "stream" }
  /** 204: the stream is over. */
  | { readonly kind: "ended" }
  | Rejection;

/** Not a stream. */
export interface Rejection {
  /** Unless the application decides otherwise. */
  readonly kind: "final" | "unauthorized" | "retry";
  /** A `StreamError` in the policy of `subscribe()`; the listeners of the class learn no reason. */
  readonly error: unknown;
  /** The time that the server asks for, in milliseconds. */
  readonly retryAfter: number;
}

/** How many characters of a wrong response an error carries. */
const maxQuotedBody = 200;
/** How long to wait for them, in milliseconds: the error is worth more than the quotation. */
const quoteTimeoutMs = 1_000;

/** Statuses that say "not now": the request may succeed later as it is (408; 425, RFC 8470; 429, RFC 6585). */
const temporary: readonly number[] = [408, 425, 429];

/** A stream has the status 200 and the type `text/event-stream`, with any parameters: the standard decodes all as UTF-8. */
export function isEventStream({ status, headers }: Response): boolean {
  return status === 200 && /^text\/event-stream(\s*;|\s*$)/i.test(headers.get("content-type") ?? "");
}

/**
 * The policy of `subscribe()`. A body that is not a stream is read for its first characters, then cancelled.
 *
 * Unlike in the standard, statuses that pass are retried, because a deploy or an overloaded proxy answers with 502, 503 or
 * 429, and a page must survive that.
 */
export async function judge(response: Response): Promise<Verdict> {
  if (isEventStream(response)) return { kind: "stream" };
  const { status } = response;
  if (status === 204) return { kind: "ended" };
  const contentType = response.headers.get("content-type") ?? undefined;
  const body = await firstCharacters(response);
  const [kind, meaning] = meaningOf(status);
  const found = contentType === undefined ? "no content type" : quote(contentType);
  const error =
    status === 200
      ? new StreamError(
          "content-type",
          `The response has ${found} in place of text/event-stream, and begins with ${quote(body)}; check the address`,
          { status, contentType, body },
        )
      : new StreamError("status", `The server answered ${status}${meaning}: ${quote(body)}`, {
          status,
          contentType,
          body,
        });
  return { kind, error, retryAfter: readRetryAfter(response.headers.get("retry-after")) };
}

function meaningOf(status: number): [kind: Rejection["kind"], meaning: string] {
  if (status === 401 || status === 403) return ["unauthorized", ", so this client may not read the stream"];
  if (status === 404 || status === 410) return ["final", ", so there is no such stream"];
  return [status >= 500 || temporary.includes(status) ? "retry" : "final", ""];
}

/**
 * Milliseconds (RFC 9110, section 10.2.3): seconds, or a date; 0 for neither. A date is compared with this machine's clock,
 * which may be wrong by hours. The machine of reconnect.ts bounds the result.
 */
function readRetryAfter(value: string | null): number {
  if (value === null) return 0;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const time = Date.parse(value) - Date.now();
  return time > 0 ? time : 0;
}

/** The part of the body that arrives in time: an error page may be endless, or arrive byte by byte. Never rejects. */
export async function firstCharacters(response: Response): Promise<string> {
  // The program's own `fetch` may give another kind of body, or one that has been read.
  if (!response.body?.getReader || response.body.locked) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const timer = setTimeout(() => void reader.cancel().catch(ignore), quoteTimeoutMs);
  try {
    while (text.length < maxQuotedBody) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // The characters that have arrived are enough.
  }
  clearTimeout(timer);
  void reader.cancel().catch(ignore);
  return text.slice(0, maxQuotedBody);
}

function ignore(): void {}
