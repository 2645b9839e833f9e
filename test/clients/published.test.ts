/** The published clients read the same text from a source, a set and a channel: to its end, idle, and over a cut. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { expectConsole, expectRejection } from "../support/console.ts";
import { eventually, within } from "../support/deadline.ts";
import { root } from "../support/package.ts";
import { loadClients, versions } from "../support/published-clients.ts";
import type { Any, PublishedClient } from "./published/client.ts";
import { publishedClients } from "./published/index.ts";
import { type OriginName, origins, Stage } from "./stage.ts";

let load: (specifier: string) => Promise<Any>;

beforeAll(async () => {
  load = await loadClients();
});

const names = Object.keys(origins) as OriginName[];

describe.each(publishedClients)("$package", (client) => {
  test.each(names)(
    "on a %s: reads to the end with one request, over a pause longer than the keep-alive",
    async (name) => {
      await using stage = await Stage.of(client, name);
      const app = new Application(client, stage);
      const read = app.read();
      await stage.requested(1);
      stage.begin();
      stage.say("one ");
      await app.received("one ");
      await stage.idle();
      stage.say("two\n", "three 😀");
      stage.end();
      await within(20_000, "the end of the text", read);
      expect(app.text).toBe("one two\nthree 😀");
      expect(stage.requests).toBe(1);
    },
  );

  test("over a cut, it does what is recorded of it (-u)", async () => {
    const { package: name, api, method, protocol, atCut, noise } = client;
    const error = typeof atCut === "object" ? atCut.error : undefined;
    if (noise !== undefined) {
      expectConsole(noise.prints);
      expectRejection(noise.unhandled);
    }
    const [source, set, channel] = await Promise.all(names.map((origin) => cut(client, origin)));
    expect([source, channel]).toEqual([error ?? atCut, error ?? atCut]);
    const record = {
      package: name,
      version: versions[name],
      api,
      method,
      control: protocol.control !== false,
      end: protocol.end ?? null,
      atCut: { source, set, channel },
    };
    await expect(`${JSON.stringify(record, null, 2)}\n`).toMatchFileSnapshot(
      join(root, "test/clients/results", `${name.replace(/[^a-z0-9]+/g, "-").replace(/^-/, "")}.json`),
    );
  });
});

/** Cuts the connection in the middle of the words. Returns the outcome for the application: see `AtCut`. */
async function cut(client: PublishedClient, name: OriginName): Promise<string> {
  await using stage = await Stage.of(client, name);
  const app = new Application(client, stage);
  let read = app.read().then(
    () => "ended",
    (error) => `${error}`,
  );
  await stage.requested(1);
  stage.begin();
  stage.say("one ", "two ");
  await app.received("one two ");
  stage.cut();
  // The client cannot be back so soon.
  stage.say("three ", "four ");
  const outcome = await Promise.race([read, stage.requested(2).then(() => null)]);
  if (outcome !== null) {
    app.text = "";
    // A set has nothing of what was sent before.
    if (name === "set") return outcome;
    read = app.read(true).then(() => "");
    await stage.requested(2);
  }
  stage.say("five");
  stage.end();
  await within(20_000, "the end of the text", read);
  if (outcome !== null) {
    expect(app.text, "asked again after an error").toBe("one two three four five");
    return outcome;
  }
  return outcomes[app.text] ?? app.text;
}

const outcomes: Record<string, string> = {
  "one two three four five": "resumes",
  "one two one two three four five": "starts over",
  "one two five": "continues",
};

/** Uses a client, and collects the words that it receives. */
class Application {
  text = "";
  readonly #client: PublishedClient;
  readonly #stage: Stage;

  constructor(client: PublishedClient, stage: Stage) {
    this.#client = client;
    this.#stage = stage;
  }

  read(again = false): Promise<void> {
    const onWord = (word: string) => {
      this.text += word;
    };
    return this.#client.read({ url: this.#stage.url, load, onWord, again });
  }

  async received(text: string): Promise<void> {
    await eventually(
      `the text ${text}`,
      async () => this.text,
      (received) => received === text,
    );
  }
}
