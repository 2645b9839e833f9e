import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express, { type RequestHandler } from "express";
import { onTestFinished } from "vitest";
import { type NodeSourceOptions, openEventSource } from "../../src/adapters/node.ts";
import type { EventSource } from "../../src/index.ts";
import { Http1Client } from "./client.ts";

/** A stream of Express behind middleware, and its client; both are gone at the end of the test. */
export async function openBehind(
  middleware: readonly RequestHandler[],
  { encoding, options }: { encoding: string; options?: NodeSourceOptions | undefined },
): Promise<{ source: EventSource; client: Http1Client }> {
  const routed = Promise.withResolvers<EventSource>();
  const app = express().use(...middleware);
  app.get("/events", (req, res) => {
    routed.resolve(openEventSource(req, res, options));
  });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new Http1Client(port, { path: "/events?a=1", headers: { "accept-encoding": encoding } });
  onTestFinished(async () => {
    client.leave();
    await once(server.close(), "close");
  });
  return { source: await routed.promise, client };
}
