// The clients that a log works with, typed by structure: node-redis, ioredis, and Bun's own.
import { quote, SourcecastTypeError } from "../../base/errors.ts";

/**
 * A client of Redis or Valkey: `createClient()` and `createCluster()` of node-redis 5 and 6, `createSentinel()` of 6, `new
 * Redis()` and `new Cluster()` of ioredis 5 and 6, `new RedisClient()` of Bun. It has the address, the password and the other
 * settings of the connections that the log opens. The client itself stays as it is.
 */
export interface RedisLike {
  /** Makes another client with the same configuration. */
  duplicate(...args: never[]): unknown;
}

/** An open connection of the log, whatever client it was made with. */
export interface Connection {
  /** Sends a command that concerns one key, and resolves with the reply. */
  call(key: string, args: readonly string[]): Promise<unknown>;
  /** Ends it. Calls that wait for a reply are rejected. */
  close(): void;
}

/** Opens a connection. */
export type Connect = () => Promise<Connection>;

/**
 * Recognizes a client by the methods and properties that only clients of its kind have.
 *
 * The log never uses the application's own connection: clients keep calls while they reconnect, send some of them a second
 * time, and wait for a reply for as long as it takes. A connection of the log fails once and is replaced.
 */
export function connectorOf(client: unknown): Connect {
  const known: unknown = client;
  if (typeof client === "object" && client !== null && isFunction(client, "duplicate")) {
    if (isFunction(client, "sendCommand") && "isOpen" in client) {
      if (isFunction(client, "nodeClient")) return nodeCluster(known as NodeCluster);
      return isFunction(client, "getSentinelNode")
        ? nodeSentinel(known as NodeSentinel)
        : nodeRedis(known as NodeRedis);
    }
    if (isFunction(client, "call") && "status" in client) return ioredis(known as IoRedis);
    if (isFunction(client, "send") && "connected" in client) return bun(known as BunRedis);
  }
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option client is ${nameOf(client)}; pass a client of redis (node-redis) 5 or 6, of ioredis 5 or 6, or Bun's RedisClient`,
  );
}

// --- node-redis ---

/**
 * Options that the library rejects together with RESP 2 are taken back: version 6 adds `maintNotifications` to the
 * options of every client. A timeout for commands would end every wait for entries, and other types of replies are unknown here.
 */
const plainNodeRedis = {
  commandOptions: {},
  maintNotifications: "disabled",
  clientSideCache: undefined,
  emitInvalidate: undefined,
};

/** `createClient()`. */
interface NodeRedis {
  readonly options?: { readonly socket?: object };
  sendCommand(args: readonly string[]): Promise<unknown>;
  duplicate(overrides?: object): NodeRedis;
  connect(): Promise<unknown>;
  destroy(): void;
  unref?(): void;
  on(event: "error", listener: () => void): unknown;
}

function nodeRedis(client: NodeRedis): Connect {
  return async () => {
    // The client is not to reconnect: after that, version 5.12 has resolved calls with the replies to others.
    const socket = { ...client.options?.socket, reconnectStrategy: false };
    const own = client.duplicate({ ...plainNodeRedis, RESP: 2, disableOfflineQueue: true, socket });
    // The call that fails reports it. An event without a listener would end the process.
    own.on("error", () => {});
    await opened(own.connect(), () => own.destroy());
    own.unref?.();
    return { call: (_, args) => own.sendCommand(args), close: () => quietly(() => own.destroy()) };
  };
}

/** `createCluster()`: a command needs a key, by which the node is found. */
interface NodeCluster {
  sendCommand(firstKey: string, isReadonly: boolean, args: readonly string[]): Promise<unknown>;
  duplicate(overrides?: object): NodeCluster;
  connect(): Promise<unknown>;
  destroy(): void;
  on(event: "error", listener: () => void): unknown;
}

/**
 * A cluster opens connections to its nodes as they are needed, and follows them when slots move: it reconnects on its own. Its
 * connections keep the process alive until the log is closed, since neither library has a way to say that they need not.
 *
 * It keeps its version of RESP, which its nodes may have options for. Replies of both versions are read.
 */
function nodeCluster(client: NodeCluster): Connect {
  return async () => {
    const own = client.duplicate({ commandOptions: {}, clientSideCache: undefined });
    own.on("error", () => {});
    await opened(own.connect(), () => own.destroy());
    return { call: (key, args) => own.sendCommand(key, false, args), close: () => quietly(() => own.destroy()) };
  };
}

/** `createSentinel()` of version 6: a command goes to the node that is the primary by then. */
interface NodeSentinel {
  sendCommand(isReadonly: boolean, args: readonly string[]): Promise<unknown>;
  duplicate(overrides?: object): NodeSentinel;
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: "error", listener: () => void): unknown;
}

/** As with a cluster, it reconnects on its own, keeps its version of RESP, and keeps the process alive. */
function nodeSentinel(client: NodeSentinel): Connect {
  return async () => {
    const own = client.duplicate({ commandOptions: {}, clientSideCache: undefined });
    own.on("error", () => {});
    await opened(own.connect(), () => own.destroy());
    return { call: (_, args) => own.sendCommand(false, args), close: () => quietly(() => own.destroy()) };
  };
}

// --- ioredis ---

/** Of each connection. Version 6 speaks RESP 3 by default, version 5 knows neither of the last two. */
const plainIoRedis = { commandTimeout: undefined, protocol: 2, replyMapping: "legacy" };

/** `new Redis()` and `new Cluster()`, which finds the node by the keys of a command that it knows. */
interface IoRedis {
  readonly isCluster?: boolean;
  readonly options?: { readonly redisOptions?: object };
  readonly stream?: { unref?(): void; destroy?(): void };
  call(command: string, args: readonly string[]): Promise<unknown>;
  duplicate(...overrides: unknown[]): IoRedis;
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: "error", listener: () => void): unknown;
}

function ioredis(client: IoRedis): Connect {
  return async () => {
    const own = client.isCluster ? duplicateCluster(client) : duplicateServer(client);
    own.on("error", () => {});
    const close = (): void => {
      own.disconnect();
      // It ends the socket in order, and waits for a server that may not answer any longer.
      own.stream?.destroy?.();
    };
    await opened(own.connect(), close);
    own.stream?.unref?.();
    return { call: (_, args) => own.call(args[0] as string, args.slice(1)), close: () => quietly(close) };
  };
}

/** It is replaced when it has failed, and does not reconnect. */
function duplicateServer(client: IoRedis): IoRedis {
  return client.duplicate({ ...plainIoRedis, lazyConnect: true, retryStrategy: () => null });
}

/** It finds its nodes again on its own. Version 5 replaces the options of the nodes, version 6 adds to them. */
function duplicateCluster(client: IoRedis): IoRedis {
  const redisOptions = { ...client.options?.redisOptions, ...plainIoRedis };
  return client.duplicate(undefined, { lazyConnect: true, redisOptions });
}

// --- Bun ---

/** `new RedisClient()` of Bun. */
interface BunRedis {
  send(command: string, args: readonly string[]): Promise<unknown>;
  duplicate(): Promise<BunRedis> | BunRedis;
  connect(): Promise<unknown>;
  close(): void;
}

/** Bun's client does not keep the process alive while it waits. */
function bun(client: BunRedis): Connect {
  return async () => {
    const own = await client.duplicate();
    await opened(own.connect(), () => own.close());
    return { call: (_, args) => own.send(args[0] as string, args.slice(1)), close: () => quietly(() => own.close()) };
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

/** Closing a client that is closed is an error for some, thrown or as a rejection. */
function quietly(close: () => unknown): void {
  try {
    Promise.resolve(close()).catch(() => {});
  } catch {
    // Closed already.
  }
}

/** `in` would find a property that is not a function. */
function isFunction(client: object, name: string): boolean {
  return typeof (client as Record<string, unknown>)[name] === "function";
}

/** A class says more about the library than its fields do. */
function nameOf(client: unknown): string {
  if (typeof client !== "object" || client === null) return quote(client);
  const { name } = client.constructor ?? {};
  return name === undefined || name === "Object"
    ? "an object without the methods of a client"
    : `an instance of ${name}`;
}
