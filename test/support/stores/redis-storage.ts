/** The storage of the contract suite on a real Redis: one server for all tests of a file, a name of its own for each test. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { redisLog } from "../../../src/logs/redis/index.ts";
import type { LogSuiteOptions } from "../../../src/testing/log/options.ts";
import { FaultProxy } from "./fault-proxy.ts";
import type { OpenClient, OpenRedisClient } from "./redis-clients.ts";
import { type RedisProgram, startRedis } from "./redis-server.ts";
import type { StoreServer } from "./store-server.ts";

/** The log that the suite opens, on a server that runs for the file. */
export function redisStorage(openClient: OpenRedisClient, program?: RedisProgram): LogSuiteOptions["storage"] {
  let server: StoreServer;
  beforeAll(async () => {
    server = await startRedis({}, program);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  return async (retention) => {
    const key = `events:${randomUUID()}`;
    const proxy = await FaultProxy.start(server.port);
    const clients: OpenClient[] = [];
    const connect = async (port: number): Promise<OpenClient> => {
      const client = await openClient(port);
      clients.push(client);
      return client;
    };
    const direct = await connect(server.port);
    return {
      open: async () =>
        redisLog({ client: (await connect(proxy.port)).client, key, appendTimeout: "2s", ...retention }),
      lose: (count) => direct.send("EVAL", loseScript, "0", `{${key}}`, String(count)),
      async copy() {
        const copy = `{${key}}copy:${randomUUID()}`;
        await direct.send("EVAL", copyScript, "0", `{${key}}:`, copy);
        return () => direct.send("EVAL", copyScript, "0", copy, `{${key}}:`);
      },
      fail(how) {
        if (how === "refused") proxy.swallow("requests");
        else if (how === "lost") proxy.swallow("answers");
        else proxy.heal();
      },
      async remove() {
        for (const client of clients) client.close();
        await proxy[Symbol.asyncDispose]();
      },
    };
  };
}

/** Replaces all keys that begin with one text by copies of those that begin with another. */
const copyScript = `
local function keysOf(prefix)
  local pattern = string.gsub(prefix, '[%[%]%*%?\\\\]', '\\\\%0')
  return redis.call('KEYS', pattern .. '*')
end
for _, key in ipairs(keysOf(ARGV[2])) do redis.call('DEL', key) end
for _, key in ipairs(keysOf(ARGV[1])) do redis.call('COPY', key, ARGV[2] .. string.sub(key, #ARGV[1] + 1)) end
`;

/** Takes the newest entries away, as if they had never been replicated. */
const loseScript = `
local function key(name) return ARGV[1] .. ':' .. name end
local all = redis.call('XRANGE', key('entries'), '-', '+')
local left = #all - tonumber(ARGV[2])
redis.call('DEL', key('entries'))
local top, witness = 0, redis.call('HGET', key('head'), 'origin')
local last, newest, ended = {}, {}, {}
for i = 1, left do
  redis.call('XADD', key('entries'), all[i][1], unpack(all[i][2]))
  top, witness = string.match(all[i][1], '^(%d+)-(%d+)$')
  local f = all[i][2]
  last[f[2]] = top
  if f[6] ~= '' then newest[f[2] .. '\\0' .. string.sub(f[6], 2)] = top end
end
redis.call('HSET', key('head'), 'top', top, 'witness', witness)
for _, name in ipairs({'last', 'ended', 'channels', 'keys', 'idTimes'}) do
  redis.call('DEL', key(name))
  redis.call('ZADD', key(name), 0, '\\255')
end
for _, name in ipairs({'newest', 'ids', 'calls'}) do
  redis.call('DEL', key(name))
  redis.call('HSET', key(name), '\\255', '')
end
for channel, offset in pairs(last) do
  redis.call('ZADD', key('last'), offset, channel)
  redis.call('ZADD', key('channels'), 0, channel)
end
for member, offset in pairs(newest) do
  redis.call('HSET', key('newest'), member, offset)
  redis.call('ZADD', key('keys'), 0, member)
end
`;
