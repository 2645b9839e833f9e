// The parts of Oak's context that the adapter uses, typed by structure.
import type { RequestLike } from "../../http/request.ts";

/** The part of Oak's context that this package uses. */
export interface OakContext {
  /** The application, whose `close` event closes the stream. */
  readonly app: OakApplication;
  /** The request that is answered with a stream. */
  readonly request: OakRequest;
  /** The response, whose headers are sent. */
  readonly response: {
    readonly headers: { forEach(callback: (value: string, name: string) => void): void };
    // biome-ignore lint/suspicious/noExplicitAny: Oak overloads it
    with(body: any, init?: any): void;
  };
  /** Set to `false`, so that Oak does not answer a second time. */
  respond: boolean;
}

/** The part of Oak's application that this package uses. */
export interface OakApplication {
  /** Adds a listener for the end of the application. */
  addEventListener(type: "close", listener: () => void): void;
}

/** The part of Oak's request that this package uses. */
export interface OakRequest {
  /** The address of the request. */
  readonly url: URL;
  /** The HTTP method. */
  readonly method: string;
  /** The header of the request. */
  readonly headers: { get(name: string): string | null };
  /** The web request; `undefined` on Node. */
  readonly source?: RequestLike | undefined;
  /** The request of the runtime's server, which takes the response. */
  // biome-ignore lint/suspicious/noExplicitAny: the Response class is the runtime's, or that of a package of Oak
  readonly originalRequest: { respond(response: any): void | Promise<void>; error?(reason?: unknown): void };
}
