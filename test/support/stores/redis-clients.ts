/** Clients of the kinds that a log supports, closed with the test. */
import * as ioredis5 from "ioredis";
import * as ioredis6 from "ioredis-6";
import * as nodeRedis5 from "redis";
import * as nodeRedis6 from "redis-6";
import type { RedisLike } from "../../../src/logs/redis/index.ts";

/** A connected client, and how the application closes it. */
export interface OpenClient {
  readonly client: RedisLike;
  /** Sends a command of the test's own. */
  send(...args: string[]): Promise<unknown>;
  close(): void;
}

export type OpenRedisClient = (port: number, options?: ClientOptions) => Promise<OpenClient>;

export interface ClientOptions {
  readonly username?: string;
  readonly password?: string;
}

/** The two libraries, in the versions that applications have. Their types differ between versions; what tests use does not. */
type NodeRedis = typeof nodeRedis5;
type IoRedis = typeof ioredis5;

const openNodeRedis =
  ({ createClient }: NodeRedis): OpenRedisClient =>
  async (port, options = {}) => {
    const client = createClient({ ...options, socket: { port, host } });
    client.on("error", () => {});
    await client.connect();
    return { client, send: (...args) => client.sendCommand(args), close: () => client.destroy() };
  };

const openIoRedis =
  ({ Redis }: IoRedis): OpenRedisClient =>
  async (port, options = {}) => {
    const client = new Redis({ ...options, port, host, lazyConnect: true });
    client.on("error", () => {});
    await client.connect();
    const send = (...args: string[]) => client.call(args[0] as string, args.slice(1));
    const close = () => {
      client.disconnect();
      // A server that is paused would keep the socket open.
      (client as { stream?: { destroy(): void } }).stream?.destroy();
    };
    return { client, send, close };
  };

const openNodeRedisCluster =
  ({ createCluster }: NodeRedis): OpenRedisClient =>
  async (port) => {
    const client = createCluster({ rootNodes: [{ socket: { port, host } }] });
    client.on("error", () => {});
    await client.connect();
    return { client, send: (...args) => client.sendCommand(args[1], false, args), close: () => client.destroy() };
  };

const openIoRedisCluster =
  ({ Cluster }: IoRedis): OpenRedisClient =>
  async (port) => {
    const client = new Cluster([{ port, host }], { lazyConnect: true });
    client.on("error", () => {});
    await client.connect();
    const send = (...args: string[]) => client.call(args[0] as string, args.slice(1));
    return { client, send, close: () => client.disconnect() };
  };

const host = "127.0.0.1";
const latestNodeRedis = nodeRedis6 as unknown as NodeRedis;
const latestIoRedis = ioredis6 as unknown as IoRedis;

/** The versions of each library. */
export const nodeRedisVersions: Readonly<Record<number, NodeRedis>> = { 5: nodeRedis5, 6: latestNodeRedis };
export const ioredisVersions: Readonly<Record<number, IoRedis>> = { 5: ioredis5, 6: latestIoRedis };

export const nodeRedisClient: OpenRedisClient = openNodeRedis(nodeRedis5);
export const nodeRedis6Client: OpenRedisClient = openNodeRedis(latestNodeRedis);
export const ioredisClient: OpenRedisClient = openIoRedis(ioredis5);
export const ioredis6Client: OpenRedisClient = openIoRedis(latestIoRedis);

/** One of each library and version, by its name. */
export const redisClients: Readonly<Record<string, OpenRedisClient>> = {
  "node-redis 5": nodeRedisClient,
  "node-redis 6": nodeRedis6Client,
  "ioredis 5": ioredisClient,
  "ioredis 6": ioredis6Client,
};

/** The same for clusters. */
export const redisClusters: Readonly<Record<string, OpenRedisClient>> = {
  "node-redis 5": openNodeRedisCluster(nodeRedis5),
  "node-redis 6": openNodeRedisCluster(latestNodeRedis),
  "ioredis 5": openIoRedisCluster(ioredis5),
  "ioredis 6": openIoRedisCluster(latestIoRedis),
};
