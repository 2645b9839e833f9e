import { test } from "vitest";
import { exampleSuite, showsTheTime } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serve.ts";
import { launchChromium } from "../support/browser.ts";
import { builtFixture, startExample } from "../support/fixture.ts";

const env = { NEXT_TELEMETRY_DISABLED: "1" };
// What Next.js says when it has started, which may be after it listens.
const log = /^[▲✓ -]/;

const start = builtFixture("next", { env });
serveSuite("Next.js 16", start, { log, exit: [143] });
exampleSuite("Next.js", start);

test("the example for Next.js in development shows the time", async () => {
  const server = await startExample("next", { env, script: "dev" });
  try {
    await using browser = await launchChromium();
    await showsTheTime(await browser.newPage(), server);
  } finally {
    // Not by force: what it has started would stay.
    await server.stop();
  }
});
