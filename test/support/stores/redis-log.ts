/** Logs on Redis servers of one test, which are closed after it. */
import { afterEach } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import { type RedisLogOptions, redisLog } from "../../../src/logs/redis/index.ts";
import { nodeRedisClient, type OpenClient, type OpenRedisClient } from "./redis-clients.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Closes or ends something after the test: the last one first. */
export function track<Resource extends AsyncDisposable>(resource: Resource): Resource {
  cleanups.push(() => resource[Symbol.asyncDispose]());
  return resource;
}

export async function connect(port: number, open: OpenRedisClient = nodeRedisClient): Promise<OpenClient> {
  const client = await open(port);
  cleanups.push(() => client.close());
  return client;
}

/** A log over a client of its own, with short deadlines unless `options` say otherwise. */
export async function openRedisLog(
  port: number,
  options: Partial<RedisLogOptions> = {},
  open: OpenRedisClient = nodeRedisClient,
): Promise<CompleteLog> {
  const { client } = await connect(port, open);
  const log = redisLog({ client, key: "events", appendTimeout: "2s", ...options });
  cleanups.push(() => log.close());
  return log;
}
