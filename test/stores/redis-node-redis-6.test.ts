import { test } from "vitest";
import { testLog } from "../../src/testing/index.ts";
import { nodeRedis6Client } from "../support/stores/redis-clients.ts";
import { redisStorage } from "../support/stores/redis-storage.ts";

testLog({
  test,
  persistent: true,
  shared: true,
  lossy: true,
  restorable: true,
  failing: true,
  storage: redisStorage(nodeRedis6Client),
});
