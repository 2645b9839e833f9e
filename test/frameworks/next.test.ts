import { expect, test } from "vitest";
import { boardSuite } from "../contracts/board.ts";
import { exampleSuite, showsTheTime } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { installExample } from "../support/example.ts";
import { builtFixture, startExample } from "../support/fixture.ts";
import type { ServerProcess } from "../support/server-process.ts";

const env = { NEXT_TELEMETRY_DISABLED: "1" };
// Next.js prints this when it has started, which may be after it listens.
const log = /^[▲✓ -]/;

const start = builtFixture("next", { env });
serveSuite("Next.js 16", start, { log, exit: [143] });
exampleSuite("Next.js", start);

boardSuite(
  "Next.js",
  async () => {
    // A copy of its own, since the development server of the last test takes the place of a build.
    const example = await installExample("next", { copy: "board" });
    await example.build();
    return example;
  },
  { path: "/board", env, isRendered: true },
);

// Before the test of the development server, which installs the example again and so removes the build.
test("in production, a route delivers what another one publishes", async () => {
  await using server = await start();
  const client = await new Http1Client(server.port, { path: "/news" }).opened();
  await publish(server, "Rain tomorrow");
  await client.until(() => client.parser.events.some(({ data }) => data === '{"title":"Rain tomorrow"}'));
  client.leave();
});

test("the example for Next.js in development shows the time, and what another route publishes", async () => {
  const server = await startExample("next", { env, script: "dev" });
  try {
    await using browser = await launchChromium();
    await showsTheTime(await browser.newPage(), server);
    const page = await browser.newPage();
    await page.goto(`http://localhost:${server.port}`);
    await publish(server, "Rain tomorrow");
    await page.getByRole("listitem").getByText("Rain tomorrow").waitFor();
  } finally {
    // Not by force: what it has started would stay.
    await server.stop();
  }
});

async function publish(server: ServerProcess, title: string): Promise<void> {
  const response = await fetch(`${server.origin}/publish`, { method: "POST", body: JSON.stringify({ title }) });
  expect(response.status).toBe(201);
}
