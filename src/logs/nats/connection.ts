// The part of a NATS connection that the log uses, by structure: the package imports no client.

/** A connection of `@nats-io/transport-node`, or of any other transport of `@nats-io/nats-core` 3. */
export interface NatsConnectionLike {
  /** The server's information; undefined while there is no connection. */
  readonly info?: NatsServerInfoLike | undefined;
  /** Publishes a message. */
  publish(subject: string, payload?: Uint8Array | string, options?: NatsPublishOptionsLike): void;
  /** Subscribes to a subject. */
  subscribe(subject: string, options?: NatsSubscribeOptionsLike): NatsSubscriptionLike;
  /** Publishes a message, and resolves with the first answer. */
  request(subject: string, payload?: Uint8Array | string, options?: NatsRequestOptionsLike): Promise<NatsMessageLike>;
  /** Reports disconnects and reconnects. */
  status(): AsyncIterable<{ readonly type: string }>;
  /** Whether it was closed, after which it does not reconnect. */
  isClosed(): boolean;
}

/** The part of the server's information that the log reads. */
export interface NatsServerInfoLike {
  /** The version of nats-server. */
  readonly version: string;
  /** Most bytes of a message. */
  readonly max_payload: number;
  /** Whether JetStream is enabled. */
  readonly jetstream?: boolean;
}

/** The headers of a message that was received. */
export interface NatsHeadersLike {
  /** The status of a message of the server itself, 0 for others. */
  readonly code: number;
  /** The text of the status. */
  readonly description: string;
  /** The first value of a header, `""` without one. */
  get(name: string): string;
}

/** A message that was received. */
export interface NatsMessageLike {
  /** Its subject. */
  readonly subject: string;
  /** Where an answer goes. */
  readonly reply?: string | undefined;
  /** Its payload. */
  readonly data: Uint8Array;
  /** Its headers, if it has some. */
  readonly headers?: NatsHeadersLike | undefined;
}

/** A subscription. */
export interface NatsSubscriptionLike {
  /** Ends it. */
  unsubscribe(): void;
}

/** The options of `publish`. */
export interface NatsPublishOptionsLike {
  /** Where an answer goes. */
  reply?: string;
  /** The headers of the message. */
  headers?: object;
}

/** The options of `request`. */
export interface NatsRequestOptionsLike {
  /** In milliseconds. */
  timeout: number;
  /** The headers of the message. */
  headers?: object;
}

/** The options of `subscribe`. */
export interface NatsSubscribeOptionsLike {
  /** Called with each message, in order, as it arrives. */
  callback?: (error: Error | null, message: NatsMessageLike) => void;
}

/** The oldest server with atomic batches. */
const leastVersion = [2, 12] as const;

/** Why a value is not a connection, `undefined` when it is one. */
export function notAConnection(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "pass the connection that connect() resolves with";
  const object = value as Readonly<Record<string, unknown>>;
  // The most frequent mistake: the promise of a connection.
  if (typeof object.then === "function") return "await connect() first";
  const has = (name: string) => typeof object[name] === "function";
  if (["publish", "subscribe", "request", "status", "isClosed"].every(has)) return undefined;
  // Methods of JetStream clients, which cannot subscribe to an inbox.
  if (has("startBatch") || has("getAccountInfo")) {
    return "pass the connection itself, from which jetstream() was made";
  }
  return "pass the connection that connect() of @nats-io/transport-node resolves with";
}

/** Why a server cannot hold a log, `undefined` when it can. */
export function unsupportedServer({ version, jetstream }: NatsServerInfoLike): string | undefined {
  // Versions such as `2.12.0-RC.1` have more than numbers.
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const [leastMajor, leastMinor] = leastVersion;
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    return `The server is nats-server ${version}; the log needs 2.12 or later, since older ones have no atomic batches`;
  }
  if (jetstream === false) {
    return "The server runs without JetStream; start it with --jetstream, or with a jetstream block in its configuration";
  }
  return undefined;
}
