// The clients that a log works with, typed by structure: node-redis, ioredis, and Bun's own.
import { quote, SourcecastTypeError } from "../../base/errors.ts";

/**
 * A client of Redis or Valkey, or of a cluster: `createClient()` or `createCluster()` of node-redis 5, `new Redis()` or `new
 * Cluster()` of ioredis 5, `new RedisClient()` of Bun. The application connects it, configures it and closes it.
 */
export interface RedisLike {
  /** Makes another client with the same configuration, for the connection that waits for new entries. */
  duplicate(...args: never[]): unknown;
}

/** The part of a client that the log uses. */
export interface Connection {
  /** Sends a command that concerns one key, and resolves with the reply. */
  call(key: string, args: readonly string[]): Promise<unknown>;
  /** Ends a connection that the log has opened. Calls that wait for a reply are rejected. */
  close(): void;
}

/** Opens a connection of its own, with the configuration of the application's client. */
export type Connect = () => Promise<Connection>;

/** The application's client. */
export interface Client {
  readonly connection: Connection;
  readonly connect: Connect;
}

/** Recognizes a client by the methods and properties that only clients of its kind have. */
export function clientOf(client: unknown): Client {
  const known: unknown = client;
  if (typeof client === "object" && client !== null && isFunction(client, "duplicate")) {
    if (isFunction(client, "sendCommand") && "isOpen" in client) {
      return isFunction(client, "nodeClient") ? nodeCluster(known as NodeCluster) : nodeRedis(known as NodeRedis);
    }
    if (isFunction(client, "call") && "status" in client) return ioredis(known as IoRedis);
    if (isFunction(client, "send") && "connected" in client) return bun(known as BunRedis);
  }
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option client is ${nameOf(client)}; pass a client of redis (node-redis) 5, of ioredis 5, or Bun's RedisClient`,
  );
}

// --- node-redis ---

interface NodeRedis {
  readonly options?: { readonly socket?: object };
  sendCommand(args: readonly string[]): Promise<unknown>;
  duplicate(overrides?: object): NodeRedis;
  connect(): Promise<unknown>;
  destroy(): void;
  unref?(): void;
  on(event: "error", listener: () => void): unknown;
}

function nodeRedis(client: NodeRedis): Client {
  return {
    connection: { call: (_, args) => client.sendCommand(args), close: () => {} },
    async connect() {
      // The reply of XREAD has another form in RESP 3, and a timeout for commands would end every wait. A connection that is
      // lost is not opened again: the log makes another client.
      const socket = { ...client.options?.socket, reconnectStrategy: false };
      const own = client.duplicate({ RESP: 2, commandOptions: {}, disableOfflineQueue: true, socket });
      // The call that fails reports it. An event without a listener would end the process.
      own.on("error", () => {});
      await opened(own.connect(), () => own.destroy());
      own.unref?.();
      return { call: (_, args) => own.sendCommand(args), close: () => quietly(() => own.destroy()) };
    },
  };
}

interface NodeCluster {
  sendCommand(firstKey: string, isReadonly: boolean, args: readonly string[]): Promise<unknown>;
  duplicate(overrides?: object): NodeCluster;
  connect(): Promise<unknown>;
  destroy(): void;
  on(event: "error", listener: () => void): unknown;
}

function nodeCluster(client: NodeCluster): Client {
  return {
    connection: { call: (key, args) => client.sendCommand(key, false, args), close: () => {} },
    async connect() {
      const own = client.duplicate({ RESP: 2 });
      own.on("error", () => {});
      await opened(own.connect(), () => own.destroy());
      return { call: (key, args) => own.sendCommand(key, false, args), close: () => quietly(() => own.destroy()) };
    },
  };
}

// --- ioredis ---

interface IoRedis {
  readonly isCluster?: boolean;
  readonly stream?: { unref?(): void; destroy?(): void };
  readonly status: string;
  call(command: string, args: readonly string[]): Promise<unknown>;
  duplicate(...overrides: unknown[]): IoRedis;
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: string, listener: () => void): unknown;
}

function ioredis(client: IoRedis): Client {
  const send = (target: IoRedis, args: readonly string[]) => target.call(args[0] as string, args.slice(1));
  return {
    connection: { call: (_, args) => send(client, args), close: () => {} },
    async connect() {
      // The log opens another connection when this one is lost, and nothing is to be sent a second time on it.
      const overrides = { lazyConnect: true, commandTimeout: undefined, retryStrategy: () => null };
      const own = client.isCluster ? client.duplicate(undefined, { lazyConnect: true }) : client.duplicate(overrides);
      own.on("error", () => {});
      await opened(own.connect(), () => own.disconnect());
      own.stream?.unref?.();
      const close = () => {
        own.disconnect();
        // It ends the socket in order, and waits for a server that may not answer any longer.
        own.stream?.destroy?.();
      };
      return { call: (_, args) => send(own, args), close: () => quietly(close) };
    },
  };
}

// --- Bun ---

interface BunRedis {
  send(command: string, args: readonly string[]): Promise<unknown>;
  duplicate(): Promise<BunRedis> | BunRedis;
  connect(): Promise<unknown>;
  close(): void;
}

function bun(client: BunRedis): Client {
  const send = (target: BunRedis, args: readonly string[]) => target.send(args[0] as string, args.slice(1));
  return {
    connection: { call: (_, args) => send(client, args), close: () => {} },
    async connect() {
      const own = await client.duplicate();
      await opened(own.connect(), () => own.close());
      return { call: (_, args) => send(own, args), close: () => quietly(() => own.close()) };
    },
  };
}

// --- Helpers ---

/** Clients that could not connect try again on their own: this one is given up. */
async function opened(connecting: Promise<unknown>, giveUp: () => void): Promise<void> {
  try {
    await connecting;
  } catch (error) {
    quietly(giveUp);
    throw error;
  }
}

/** Closing a client that is closed is an error for some. */
function quietly(close: () => unknown): void {
  try {
    close();
  } catch {
    // Closed already.
  }
}

function isFunction(client: object, name: string): boolean {
  return typeof (client as Record<string, unknown>)[name] === "function";
}

function nameOf(client: unknown): string {
  if (typeof client !== "object" || client === null) return quote(client);
  const { name } = client.constructor ?? {};
  return name === undefined || name === "Object"
    ? "an object without the methods of a client"
    : `an instance of ${name}`;
}
