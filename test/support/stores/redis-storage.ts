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
local blocks = redis.call('XRANGE', key('entries'), '-', '+')
local top, witness = 0, redis.call('HGET', key('head'), 'origin')
local left = tonumber(redis.call('HGET', key('head'), 'top')) - tonumber(ARGV[2])
local last, newest, ended = {}, {}, {}
redis.call('DEL', key('entries'))
for _, block in ipairs(blocks) do
  local items, kept = cjson.decode(block[2][4]), {}
  local offset = tonumber(string.match(block[1], '^%d+')) - #items
  for i, item in ipairs(items) do
    if offset + i <= left then
      kept[i] = item
      top, witness = offset + i, item[1]
      last[item[2]] = top
      if item[5] and item[5] ~= cjson.null then newest[item[2] .. '\\0' .. item[5]] = top end
    end
  end
  if #kept > 0 then
    local previous, time, rest = string.match(block[2][2], '^(%d+) (%d+) %d+ (.*)$')
    redis.call('XADD', key('entries'), top .. '-' .. string.format('%.0f', witness),
      'h', previous .. ' ' .. time .. ' ' .. #kept .. ' ' .. rest, 'e', cjson.encode(kept))
  end
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
