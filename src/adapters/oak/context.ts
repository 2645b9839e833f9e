import type { RequestLike } from "../../http/request.ts";

/** The part of Oak's context that is used here. */
export interface OakContext {
  readonly app: OakApplication;
  readonly request: OakRequest;
  readonly response: {
    readonly headers: { forEach(callback: (value: string, name: string) => void): void };
    // biome-ignore lint/suspicious/noExplicitAny: Oak overloads it
    with(body: any, init?: any): void;
  };
  respond: boolean;
}

export interface OakApplication {
  addEventListener(type: "close", listener: () => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: Oak has it of EventTarget, which takes any listener
  removeEventListener(type: "close", listener: any): void;
}

export interface OakRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: { get(name: string): string | null };
  /** The web request; there is none on Node. */
  readonly source?: RequestLike | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the Response class is the runtime's, or of a package of Oak's
  readonly originalRequest: { respond(response: any): void | Promise<void>; error?(reason?: unknown): void };
}
