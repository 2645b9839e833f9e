/** One stream through a proxy with little more than its defaults: promptness, compression, idle time. */

import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Client, type ClientRequest, Http1Client, Http2Client } from "../../support/client.ts";
import { eventually, within } from "../../support/deadline.ts";
import { Decompressing } from "../../support/decompressing.ts";
import { type NewsServer, startNewsServers } from "../../support/proxies/news-server.ts";
import { certificate, type ProxyKind, ProxyProcess, type Variant } from "../../support/proxies/proxy.ts";
import type { StreamRecorder } from "../../support/recorder.ts";

export interface StreamOptions {
  /** Whether it buffers the output of its compression. @default false */
  holdsCompressed?: boolean;
}

export function streamThrough(kind: ProxyKind, { holdsCompressed = false }: StreamOptions = {}): void {
  describe(`a stream through ${kind.name} with its defaults`, () => {
    test("each event arrives before the next is published", async () => {
      const [server, open] = await start(kind);
      const client = open({ path: "/news" });
      await within(10_000, "the first byte", client.opened());
      for (const n of numbers) {
        await server.publish([n]);
        await within(
          10_000,
          `event ${n}`,
          client.until(() => heard(client, n)),
        );
      }
    });

    test.skipIf(holdsCompressed)("so it does where everything may be compressed", async () => {
      const [server, open] = await start(kind, { compress: true });
      const headers = { "accept-encoding": "gzip" };
      const page = await within(10_000, "a page", open({ path: "/", headers }).opened());
      expect(page.headers["content-encoding"], "the page is compressed").toBe("gzip");
      const client = await within(10_000, "the first byte", open({ path: "/news", headers }).opened());
      // Some heed no-transform, others do not.
      using stream = new Decompressing(client);
      for (const n of numbers) {
        await server.publish([n]);
        await within(
          10_000,
          `event ${n}`,
          stream.until(() => heard(stream, n)),
        );
      }
    });

    test.each([
      ["with its defaults", false],
      [`with docs/deploy/${kind.file}, over HTTP/2`, true],
    ])("one that the server compresses arrives event by event, %s", async (_, isCopied) => {
      const [server, open] = await start(kind, {}, isCopied);
      const request = { path: "/compressed", headers: { "accept-encoding": "gzip" } };
      const first = await within(10_000, "the first byte", open(request).opened());
      expect(first.headers["content-encoding"]).toBe("gzip");
      using one = new Decompressing(first);
      for (const n of numbers.slice(0, 5)) {
        await server.publish([n]);
        await within(
          10_000,
          `event ${n}`,
          one.until(() => heard(one, n)),
        );
      }
      using two = new Decompressing(await within(10_000, "the other's first byte", open(request).opened()));
      for (const n of numbers.slice(5)) {
        await server.publish([n]);
        await within(
          10_000,
          `event ${n} for both`,
          Promise.all([one, two].map((stream) => stream.until(() => heard(stream, n)))),
        );
      }
    });

    test("keep-alive carries it past the idle time at which the proxy gives up on a server", async () => {
      const [server, open] = await start(kind, { idleTimeout: 1_500 });
      const kept = open({ path: "/quiet?keepAlive=100ms" });
      const silent = open({ path: "/quiet" });
      await Promise.all([kept.opened(), silent.opened()]);
      await within(20_000, "the silent one is cut", silent.rest());
      expect(kept.ended).toBeNull();
      await server.say("still here");
      expect((await within(10_000, "an event", kept.next())).data).toBe("still here");

      await eventually(
        "the server noticed",
        () => server.open(),
        ({ quiet }) => quiet === 1,
      );
    });
  });
}

/** A server, and a way to connect to it through the proxy: as users copy it, or with its defaults. */
export async function start(
  kind: ProxyKind,
  variant: Variant = {},
  isCopied = false,
): Promise<[NewsServer, (request: ClientRequest) => Client]> {
  const [server] = (await startNewsServers(1)) as [NewsServer];
  const ports = [server.port];
  const proxy = await (isCopied ? ProxyProcess.copied(kind, ports) : ProxyProcess.bare(kind, ports, variant));
  onTestFinished(() => proxy.stop());
  const open = (request: ClientRequest): Client => {
    const client = isCopied
      ? new Http2Client(proxy.port, request, readFileSync(certificate))
      : new Http1Client(proxy.port, request);
    onTestFinished(() => client.leave());
    return client;
  };
  return [server, open];
}

const numbers = Array.from({ length: 10 }, (_, index) => String(index));

function heard({ parser }: { parser: StreamRecorder }, data: string): boolean {
  return parser.events.some((event) => event.type === "message" && event.data === data);
}
