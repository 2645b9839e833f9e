/** The promises of a hub to its clients and publishers while the user of its log has lost rights on the server. */
import { expect } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import type { LogError } from "../../../src/log/index.ts";
import { dataOf, readOn } from "../../../src/testing/log/ask.ts";
import { eventually } from "../deadline.ts";
import { follow, openHub } from "../hub.ts";

/** How the operator of a server takes the rights away, and gives them back. */
export interface Rights {
  revoke(): Promise<unknown>;
  grant(): Promise<unknown>;
}

/**
 * Publishers are rejected instead of kept waiting, clients stay connected, and everything continues once the rights are back: nothing
 * that was accepted is missing, nothing that was rejected as not stored arrives, nothing arrives twice.
 */
export async function expectToOutlive(log: CompleteLog, { revoke, grant }: Rights): Promise<void> {
  const { hub, errors } = openHub({ log });
  errors.push = () => 0;
  const news = hub.channel("news");
  const client = await follow(hub, "news");
  await news.dispatch("n", 1);
  await client.until(() => client.data.length === 1);

  await revoke();
  const failures: LogError[] = [];
  // An event without options takes another way through most logs.
  for (const [n, options] of [
    [2, {}],
    [3, { idempotencyKey: "3" }],
  ] as const) {
    const failure = await news.dispatch("n", n, options).then(
      () => expect.fail(`${n} was stored`),
      (error: LogError) => error,
    );
    expect(failure).toMatchObject({ code: "ERR_SSE_LOG" });
    failures.push(failure);
  }
  expect(client.ended).toBe(false);

  await grant();
  const publish = () =>
    news.dispatch("n", 4, { idempotencyKey: "4" }).then(
      () => true,
      () => false,
    );
  await eventually("events are stored again", publish, Boolean);
  await client.until(() => client.data.at(-1) === "4");
  // An event whose outcome was unknown may be there.
  const rejected = [2, 3].filter((_, index) => failures[index]?.stored === false).map(String);
  expect(client.data.filter((data) => rejected.includes(data))).toEqual([]);
  expect(client.types.filter((type) => type.startsWith("sse:"))).toEqual([]);
  expect(dataOf(await readOn(log, 0, 10))).toEqual(client.data);
  expect(new Set(client.data).size).toBe(client.data.length);
  await hub.ready();
}
