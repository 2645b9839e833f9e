import { expect, test } from "vitest";
import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { startExample, startFixture } from "../support/fixture.ts";
import { bun, deno } from "../support/runtimes.ts";

serveSuite("Hono on Node", () => startFixture("hono"));
serveSuite("Hono on Bun", () => startFixture("hono", { program: bun }));
// Without the second option, Deno warns that it aborts the signal of every request, not only of those whose client
// disconnected.
const denoArgs = ["run", "--allow-all", "--unstable-no-legacy-abort"];
serveSuite("Hono on Deno", async () => startFixture("hono", { program: await deno(), args: denoArgs }));
exampleSuite("Hono", () => startExample("hono"));

test("the example of Hono answers for the channels that its page may have, from the query and from a form", async () => {
  const server = await startExample("hono");
  try {
    const body = new URLSearchParams([
      ["channel", "news"],
      ["channel", "orders/7"],
      ["join", "secret"],
      ["label", "1"],
    ]);
    for (const [query, init] of [
      [`?${body}`, {}],
      ["", { method: "POST", body }],
    ] as const) {
      const response = await fetch(`${server.origin}/channels${query}`, init);
      expect(response.status).toBe(200);
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const { value } = await reader.read();
      await reader.cancel();
      expect(new TextDecoder().decode(value)).toContain('data: {"channel":"secret","reason":"forbidden"}');
    }
    expect((await fetch(`${server.origin}/channels?channel=secret`)).status).toBe(403);
  } finally {
    await server.stop();
  }
});
