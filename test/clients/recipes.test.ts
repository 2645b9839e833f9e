/** The recipes with published clients: servers and clients as they stand on the page, over a lost connection, and a lost log. */
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { blocksOfDocuments } from "../support/blocks.ts";
import { eventually } from "../support/deadline.ts";
import { type Example, installExample } from "../support/example.ts";
import { root } from "../support/package.ts";
import { ServerProcess } from "../support/server-process.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import { openai } from "./published/openai.ts";
import { Client } from "./recipe-client.ts";

const preload = new URL("../support/listen-on-port.mjs", import.meta.url).href;
const flags = ["--disable-warning=ExperimentalWarning"];

/** Servers that write the stream themselves: how to call `publish` of each, the path and the body for a title. */
const readers: Record<string, { path: string; body(title: string): unknown }> = {
  trpc: { path: "/publish", body: (title) => title },
  orpc: { path: "/publish", body: (json) => ({ json }) },
  "graphql-yoga": { path: "/graphql", body: mutation },
  apollo: { path: "/graphql", body: mutation },
};

function mutation(title: string): object {
  return { query: "mutation ($title: String!) { publish(title: $title) }", variables: { title } };
}

let example: Example;

beforeAll(async () => {
  example = await installExample("recipes", { from: join(root, "test/clients/fixtures/recipes") });
  for (const name of [...Object.keys(readers), "openai-proxy", "langgraph"]) {
    const blocks = blocksOfDocuments().filter((block) => block.file === `docs/recipes/${name}.md`);
    expect(blocks.map(({ kind }) => kind)).toEqual(["installed", "installed"]);
    mkdirSync(join(example.folder, name), { recursive: true });
    for (const [index, file] of ["server.ts", "client.ts"].entries()) {
      writeFileSync(join(example.folder, name, file), blocks[index]?.code ?? "");
    }
  }
}, 240_000);

test("the code of all pages compiles", async () => {
  expect(await example.typeErrors()).toBe("");
});

describe.concurrent.each(Object.keys(readers))("docs/recipes/%s.md", (name) => {
  const { path, body } = readers[name] as (typeof readers)[string];

  test("the client gets every event once over a lost connection, and learns of a lost log", async () => {
    let server = await start(name);
    const publish = async (title: string) => {
      const headers = { "content-type": "application/json", origin: server.origin };
      const response = await fetch(server.origin + path, {
        method: "POST",
        headers,
        body: JSON.stringify(body(title)),
      });
      expect([response.status, (await response.text()).includes("error")]).toEqual([200, false]);
    };
    await using network = await FaultProxy.start(server.port);
    await using client = new Client(join(example.folder, name), `http://127.0.0.1:${network.port}`);
    try {
      await publish("one");
      await publish("two");
      await client.printed(["one", "two"]);
      await publish("three");
      await client.printed(["one", "two", "three"]);
      network.refuse();
      await publish("four");
      await publish("five");
      network.heal();
      await client.printed(["one", "two", "three", "four", "five"]);

      network.refuse();
      await server.stop("SIGKILL");
      server = await start(name, { port: server.port });
      network.heal();
      await client.printed(["one", "two", "three", "four", "five", "Lost: reset"]);
      await publish("six");
      await client.printed(["one", "two", "three", "four", "five", "Lost: reset", "six"]);
    } finally {
      await server.stop("SIGKILL");
    }
  });
});

describe.concurrent("docs/recipes/openai-proxy.md", () => {
  test("the client gets the whole answer over a lost connection, and the model is asked once", async () => {
    const model = new Model();
    const env = { OPENAI_BASE_URL: await model.start(), OPENAI_API_KEY: "secret" };
    await using server = await start("openai-proxy", { env });
    await using network = await FaultProxy.start(server.port);
    await using client = new Client(join(example.folder, "openai-proxy"), `http://127.0.0.1:${network.port}`);
    await model.say("Once ", "upon ");
    await eventually(
      "bytes of the answer",
      async () => network.answered,
      (answered) => answered > 0,
    );
    network.cut();
    await client.printed([expect.stringMatching(/^Asking again after "(Once |Once upon )?"$/)]);
    await model.say("a ", "time");
    model.end();
    await client.printed([expect.stringMatching(/^Asking again/), "Once upon a time"]);
    expect(model.requests).toEqual(["Bearer secret"]);
    await model.close();
  });
});

describe.concurrent("docs/recipes/langgraph.md", () => {
  test("the client gets every event of the run once over a lost connection", async () => {
    await using server = await start("langgraph");
    await using network = await FaultProxy.start(server.port);
    await using client = new Client(join(example.folder, "langgraph"), `http://127.0.0.1:${network.port}`);
    await client.printed(["Once"]);
    network.cut();
    await client.printed(["Once", "upon", "a", "time", "Once upon a time"]);
    expect(server.newOutput()).toBe("");
  });
});

function start(name: string, options: { port?: number; env?: NodeJS.ProcessEnv } = {}): Promise<ServerProcess> {
  const args = [...flags, "--import", preload, "server.ts"];
  return ServerProcess.start({ args, cwd: join(example.folder, name), ...options });
}

/** A model with the API of OpenAI, which says what the test says. */
class Model {
  /** The keys of the requests. */
  readonly requests: (string | undefined)[] = [];
  readonly #asked = Promise.withResolvers<ServerResponse>();
  readonly #server = createServer((req, res) => {
    this.requests.push(req.headers.authorization);
    res.writeHead(200, { "content-type": "text/event-stream" });
    this.#asked.resolve(res);
  });

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}/v1`;
  }

  async say(...words: readonly string[]): Promise<void> {
    const response = await this.#asked.promise;
    for (const word of words) response.write(`data: ${JSON.stringify(openai.protocol.word(word).data)}\n\n`);
  }

  end(): void {
    void this.#asked.promise.then((response) => response.end("data: [DONE]\n\n"));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
