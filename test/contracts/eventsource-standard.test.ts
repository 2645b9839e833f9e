// The standard's rules for EventSource, with the class of this package on Node.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EventSource } from "../../src/client/eventsource.ts";
import { cases, impossible, runCase, type StandardClass } from "../support/eventsource-cases.ts";
import { EventSourceServer } from "../support/eventsource-server.ts";

let server: EventSourceServer;
beforeAll(async () => {
  server = await EventSourceServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

describe.concurrent("the class on Node", () => {
  test.each(Object.keys(cases))("%s", async (name) => {
    const { origin, otherOrigin } = server;
    const failure = await runCase(name, EventSource as unknown as StandardClass, {
      origin,
      otherOrigin,
      environment: "Node",
    });
    if (name in impossible) expect(failure, "the case holds: remove it from the list").not.toBeNull();
    else expect(failure).toBeNull();
  });
});
