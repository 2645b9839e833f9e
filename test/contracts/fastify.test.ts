/** Fastify: closing the server, and cookies, in this process, with the real packages. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { endStreamsOnClose, openEventSource, respond } from "../../src/adapters/fastify.ts";
import { createHub, type EventSource, type Hub } from "../../src/index.ts";
import { Http1Client } from "../support/client.ts";
import { installPackages } from "../support/example.ts";

const fromNpm = { fastify: "5.12.8", "@fastify/cookie": "11.1.5" };
let modules: NodeJS.Require;
beforeAll(async () => {
  modules = createRequire(join(await installPackages(fromNpm), "here.js"));
}, 120_000);

// biome-ignore lint/suspicious/noExplicitAny: the types of Fastify are not installed here
type App = any;

let hub: Hub;
let app: App;
const clients: Http1Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.leave();
  await app.close();
  await hub.close();
});

async function listen(
  plugins: (app: App) => void,
  sources: EventSource[] = [],
): Promise<(path: string) => Http1Client> {
  hub = createHub();
  app = modules("fastify")();
  plugins(app);
  app.register(async (child: App) => {
    child.get("/events", (request: never, reply: never) => void sources.push(openEventSource(request, reply)));
    child.get("/news", async (request: never, reply: never) => {
      const source = await respond(hub, request, reply, { channels: ["news"] });
      if (source !== null) sources.push(source);
    });
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address();
  return (path) => {
    const client = new Http1Client(port, { path });
    clients.push(client);
    return client;
  };
}

describe("endStreamsOnClose", () => {
  test("ends every stream when the application closes, which need not wait for its clients", async () => {
    const sources: EventSource[] = [];
    const open = await listen((app) => app.register(endStreamsOnClose), sources);
    const opened = await Promise.all(["/events", "/news", "/events"].map((path) => open(path).opened()));
    await app.close();
    expect(await Promise.all(opened.map((client) => client.rest()))).toEqual(["end", "end", "end"]);
    expect(sources.map(({ closeReason }) => closeReason)).toEqual(["shutdown", "shutdown", "shutdown"]);
  });

  test("leaves the streams of another application alone", async () => {
    const sources: EventSource[] = [];
    const open = await listen((app) => app.register(endStreamsOnClose), sources);
    await open("/events").opened();
    const other: App = modules("fastify")();
    other.register(endStreamsOnClose);
    await other.ready();
    await other.close();
    expect(sources[0]?.closeReason).toBeNull();
  });
});

test("cookies reach the header by serializeCookie(), as the page says", async () => {
  const open = await listen((app) => {
    app.register(modules("@fastify/cookie"));
    app.addHook("onRequest", async (_request: unknown, reply: App) => {
      reply.header("set-cookie", app.serializeCookie("user", "ada", { path: "/" }));
      reply.header("set-cookie", app.serializeCookie("theme", "dark", { httpOnly: true }));
    });
  });
  for (const path of ["/events", "/news"]) {
    const { headers } = await open(path).opened();
    expect(headers["set-cookie"]).toBe("user=ada; Path=/, theme=dark; HttpOnly");
    expect(headers["content-type"]).toBe("text/event-stream");
  }
});
