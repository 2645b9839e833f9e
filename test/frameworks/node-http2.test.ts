import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveSuite } from "../contracts/serving-suite.ts";
import { launchChromium } from "../support/browser.ts";
import { Http2Client } from "../support/client.ts";
import { startExample, startFixture } from "../support/fixture.ts";
import type { ServerProcess } from "../support/server-process.ts";

serveSuite("node:http2", () => startFixture("node-http2"), {
  connect: (port, request) => new Http2Client(port, request),
});

describe("the example for node:http2, over TLS", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    const [key, cert] = ["key", "cert"].map((name) =>
      fileURLToPath(new URL(`../support/tls/${name}.pem`, import.meta.url)),
    );
    server = await startExample("node-http2", { env: { TLS_KEY: key, TLS_CERT: cert } });
  }, 300_000);
  afterAll(() => server?.stop());

  test("its page shows the time, and 120 streams fit on its one connection", async () => {
    await using browser = await launchChromium();
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(server.origin.replace("http:", "https:"));
    await page.locator("#time", { hasText: /^\d{4}-\d\d-\d\dT/ }).waitFor();
    const protocols = await page.evaluate(async () => {
      const sources = Array.from({ length: 120 }, () => new EventSource("/events"));
      await Promise.all(sources.map((source) => new Promise((resolve) => source.addEventListener("time", resolve))));
      for (const source of sources) source.close();
      return performance
        .getEntriesByType("navigation")
        .map((entry) => (entry as PerformanceNavigationTiming).nextHopProtocol);
    });
    expect(protocols).toEqual(["h2"]);
  });
});
