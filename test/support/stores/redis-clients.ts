/** Clients of the kinds that a log supports, closed with the test. */
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
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

export const nodeRedisClient: OpenRedisClient = async (port, options = {}) => {
  const client = createClient({ ...options, socket: { port, host: "127.0.0.1" } });
  client.on("error", () => {});
  await client.connect();
  return { client, send: (...args) => client.sendCommand(args), close: () => client.destroy() };
};

export const ioredisClient: OpenRedisClient = async (port, options = {}) => {
  const client = new Redis({ ...options, port, host: "127.0.0.1", lazyConnect: true });
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

export const nodeRedisCluster: OpenRedisClient = async (port) => {
  const client = createCluster({ rootNodes: [{ socket: { port, host: "127.0.0.1" } }] });
  client.on("error", () => {});
  await client.connect();
  return { client, send: (...args) => client.sendCommand(args[1], false, args), close: () => client.destroy() };
};

export const ioredisCluster: OpenRedisClient = async (port) => {
  const client = new Cluster([{ port, host: "127.0.0.1" }], { lazyConnect: true });
  client.on("error", () => {});
  await client.connect();
  const send = (...args: string[]) => client.call(args[0] as string, args.slice(1));
  return { client, send, close: () => client.disconnect() };
};
