// A source of streams for a lane, and the lane that they are for.
import type { ParsedEvent } from "../wire/parse.ts";
import type { Environment } from "./environment.ts";
import type { Line } from "./line.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import type { ClosedBy, ReconnectState } from "./reconnect.ts";
import type { Router } from "./router.ts";
import type { StreamRequest } from "./stream-request.ts";

/** A source of streams for a lane: connections of its own, or those of another tab. */
export interface Upstream {
  /** Null before the first line. */
  readonly state: ReconnectState | null;
  /** The state of the connection that is to take over. */
  readonly nextState: ReconnectState | null;
  /** Whether the routes of a request are in force. */
  readonly isOpen: boolean;
  /** The lines have changed. */
  update(added?: Line): void;
  /** Changes the channels at once. */
  handOver(): void;
  /** Opens another connection at once, in place of the one that there is. */
  reconnect(): void;
  close(): void;
}

/** Whether a request had the channels of a line. */
export function isAsked(request: StreamRequest | null, { channels }: Line): boolean {
  return [...channels].every((channel) => request?.held.has(channel) || request?.joining.has(channel));
}

/** The lane that streams are for. */
export interface UpstreamOwner {
  readonly router: Router<Line>;
  /** Whether no line needs this connection. */
  readonly isIdle: boolean;
  /** A stream has opened for a request, and replaces the one before. */
  open(request: StreamRequest): void;
  receive(event: ParsedEvent): void;
  comment(text: string): void;
  /** Resolves when more may be read; `undefined` for at once. */
  ready(): Promise<unknown> | undefined;
  /** A state has changed. */
  show(): void;
  /** A stream that was to take over was rejected. */
  reject(request: StreamRequest | null, by: ClosedBy, error: unknown): void;
  /** The stream has ended for good. */
  end(request: StreamRequest | null, by: ClosedBy, error: unknown): void;
  /** The server has no positions, so a handover would lose events: lines with other channels get another connection. */
  part(): void;
  /** Moves lines to other connections, if the lines follow more channels than one may have. @returns Whether it did. */
  split(): boolean;
  /** The server allows no connection in addition to those that there are. */
  crowded(): void;
  /** No line is left. */
  shut(): void;
}

/** The parts of a group that its connections use. */
export interface UpstreamContext {
  readonly options: ResolvedSubscribeOptions;
  readonly environment: Environment;
  /** The most channels that a connection of this server may have. */
  limit: number;
}
