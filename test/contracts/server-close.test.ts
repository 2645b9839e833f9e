/** The fate of a connection after its stream, and of a server that was closed, on each version of Node. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runQuietly } from "../support/run.ts";
import { node } from "../support/runtimes.ts";

const fixture = fileURLToPath(new URL("fixtures/server-close.mjs", import.meta.url));

test.each([
  ["the Node of the tests", async () => process.execPath],
  ["Node 22", () => node("22.23.3")],
  ["Node 26", () => node("26.10.0")],
])(
  "%s: a connection stays for its next request, unless its server was closed",
  async (_, program) => {
    const output = await runQuietly(await program(), ["--no-warnings", fixture], { timeout: 20_000 });
    expect(JSON.parse(output)).toEqual({
      stillListening: true,
      handedOver: true,
      closedServer: true,
      closedHttp2Server: true,
      handedOverHttp2: true,
    });
  },
  120_000,
);
