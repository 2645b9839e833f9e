/** Values that a client may have sent, in the options of a subscription: 400 and `onError`, and nothing is thrown. */
import { describe, expect, test } from "vitest";
import type { SubscribeOptions } from "../../../src/index.ts";
import { presence } from "../../../src/presence/index.ts";
import { WebSink } from "../../../src/sinks/web.ts";
import { openHub } from "../../support/hub.ts";
import { request } from "../../support/web.ts";

const address = "http://localhost/events";

/** A query as frameworks read it: the value of a parameter is a string, a list or an object, or it is absent. */
function parse({ searchParams }: URL, name: string): unknown {
  const values = searchParams.getAll(name);
  const nested = [...searchParams].filter(([key]) => key.startsWith(`${name}[`));
  if (nested.length > 0)
    return Object.fromEntries(nested.map(([key, value]) => [key.slice(name.length + 1, -1), value]));
  return values.length > 1 ? values : values[0];
}

/** Every option whose value an application may take from a request as it is. */
const sentOptions = [
  "channels",
  "join",
  "forbidden",
  "label",
  "from",
  "rewind",
  "sender",
  "key",
  "member",
] as const satisfies (keyof SubscribeOptions)[];

/** Applications that pass on parts of an address, as they may be written. */
const applications: Record<string, (url: URL) => Partial<SubscribeOptions>> = {
  "a name": ({ searchParams }) => ({ channels: [`${searchParams.get("name")}`] }),
  "a name after a prefix": ({ searchParams }) => ({ channels: [`room:${searchParams.get("name")}`] }),
  "all names": ({ searchParams }) => ({ channels: searchParams.getAll("name") }),
  rewind: ({ searchParams }) => ({ rewind: Number(searchParams.get("rewind")) }),
  from: ({ searchParams }) => ({ from: `${searchParams.get("from")}` }),
  member: ({ searchParams }) => ({ member: { id: searchParams.get("id") as string } }),
  "the data of a member": ({ searchParams }) => ({ member: { id: "ada", data: searchParams.get("data") } }),
  key: ({ searchParams }) => ({ key: `${searchParams.get("key")}` }),
  sender: ({ searchParams }) => ({ sender: `${searchParams.get("sender")}` }),
  ...Object.fromEntries(sentOptions.map((name) => [`${name} as it is`, (url: URL) => ({ [name]: parse(url, name) })])),
  ...Object.fromEntries(
    sentOptions.map((name) => [`${name} or null`, ({ searchParams }: URL) => ({ [name]: searchParams.get(name) })]),
  ),
  "a label for another protocol": ({ searchParams }) => ({ control: {}, label: searchParams.get("label") === "1" }),
};

const long = "x".repeat(300);
const inputs: [application: string, query: string][] = [
  ["a name", "?name="],
  ["a name", "?name=%00"],
  ["a name", "?name=a*b"],
  ["a name", `?name=${long}`],
  ["a name", "?name=%0a"],
  ["a name after a prefix", "?name=*b"],
  ["a name after a prefix", "?name=%7f"],
  ["all names", ""],
  ["all names", "?name=fine&name="],
  ["rewind", "?rewind=abc"],
  ["rewind", "?rewind=-1"],
  ["rewind", "?rewind=1.5"],
  ["from", "?from="],
  ["from", "?from=yesterday"],
  ["from", "?from=1.2.3.4"],
  ["member", ""],
  ["member", "?id="],
  ["the data of a member", `?data=${long.repeat(10)}`],
  ["key", "?key="],
  ["sender", "?sender="],
  ...sentOptions.flatMap((name): [string, string][] => [
    // Lists of channels are what these three take.
    ...(["channels", "join", "forbidden"].includes(name)
      ? []
      : [[`${name} as it is`, `?${name}=a&${name}=b`] as [string, string]]),
    [`${name} as it is`, `?${name}[a]=b`],
    [`${name} or null`, ""],
  ]),
  ["channels as it is", ""],
  ["channels as it is", "?channels=a"],
  ["join as it is", "?join=a"],
  ["forbidden as it is", "?forbidden=a"],
  ["label as it is", "?label=1"],
  ["rewind as it is", "?rewind=1"],
  ["member as it is", "?member=ada"],
  ["a label for another protocol", "?label=1"],
];

describe.each(inputs)("%s from %s", (application, query) => {
  const setUp = () => openHub({ presence: presence(), limits: { eventSize: "1kb" } });
  const optionsFor = (url: string): SubscribeOptions => ({
    channels: ["news"],
    cors: true,
    ...(applications[application] as (url: URL) => Partial<SubscribeOptions>)(new URL(url)),
  });

  test("is answered with 400, reported, and takes no slot", async () => {
    const { hub, errors } = setUp();
    const response = await hub.response(request({ query }), optionsFor(address + query));
    expect([response.status, response.headers.get("content-type")]).toEqual([400, "text/plain; charset=utf-8"]);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(await response.text()).toMatch(/^The .* not valid\n$/);
    expect(errors.splice(0)).toEqual([["request", expect.stringMatching(/; /)]]);
    expect(hub.stats()).toMatchObject({ connections: 0, refused: {} });
  });

  test("is not asked about by OPTIONS, nor by a method that opens nothing", async () => {
    const { hub } = setUp();
    for (const [method, status] of [
      ["OPTIONS", 204],
      ["PUT", 405],
    ] as const) {
      const response = await hub.response(request({ query, method }), optionsFor(address + query));
      expect(response.status).toBe(status);
    }
  });

  test("is answered the same for HEAD", async () => {
    const { hub, errors } = setUp();
    const response = await hub.response(request({ query, method: "HEAD" }), optionsFor(address + query));
    expect([response.status, response.body]).toEqual([400, null]);
    expect(errors.splice(0)).toHaveLength(1);
  });
});

test("a member on a hub without presence is a mistake of the application", async () => {
  const { hub } = openHub();
  await expect(hub.response(request(), { channels: ["a"], member: { id: "" } })).rejects.toMatchObject({
    code: "ERR_SSE_OPTION",
  });
});

test.each(sentOptions)("a wrong type of %s that no client has sent is a mistake of the application", async (name) => {
  const { hub } = openHub({ presence: presence() });
  const wrong = name === "rewind" || name === "label" ? "x-wrong" : 77;
  for (const value of [wrong, { wrong }]) {
    const options = { channels: ["a"], [name]: value } as unknown as SubscribeOptions;
    await expect(hub.response(request(), options)).rejects.toMatchObject({
      code: name === "channels" ? "ERR_SSE_CHANNEL" : "ERR_SSE_OPTION",
      message: expect.stringContaining(name),
    });
    expect(() => hub.openNow({ request: request(), sink: new WebSink(null) }, options)).toThrow(name);
  }
  expect(hub.stats().connections).toBe(0);
});

test("a subscription without the option channels is a mistake of the application", async () => {
  const { hub } = openHub();
  for (const options of [undefined, {}]) {
    await expect(hub.response(request({ query: "?channel=a" }), options as never)).rejects.toMatchObject({
      code: "ERR_SSE_CHANNEL",
    });
  }
});

test.each<[string, RequestInit & { query?: string }]>([
  ["a body", { method: "POST", body: '{"sender":[1]}' }],
  ["a header", { headers: { "x-tab": '{"sender":[1]}' } }],
  ["a cookie", { headers: { cookie: "tab=j%3A%5B1%5D" } }],
])("a list or an object may have come from JSON in %s", async (_, init) => {
  const { hub, errors } = openHub();
  const response = await hub.response(request(init), { channels: ["a"], sender: [1] as never });
  expect([response.status, errors.splice(0)]).toEqual([400, [["request", expect.stringContaining("sender")]]]);
});

describe("a rewind that no client has sent", () => {
  test.each([-1, 0.5, -7.25])("is a mistake of the application: %d", async (rewind) => {
    const { hub } = openHub();
    const rejected = { code: "ERR_SSE_OPTION", message: expect.stringMatching(/^The option rewind is .*; /) };
    for (const init of [{}, { method: "HEAD" }, { headers: { accept: "*/*", "last-event-id": "1.2.3" } }])
      await expect(hub.response(request(init), { channels: ["a"], rewind })).rejects.toMatchObject(rejected);
    await expect(hub.channel("a").response(request(), { rewind })).rejects.toMatchObject(rejected);
    expect(hub.stats().connections).toBe(0);
  });

  test.each<[string, RequestInit & { query?: string }]>([
    ["a query, whatever is in it", { query: "?limit=0" }],
    ["a body", { method: "POST", body: "-1" }],
    ["its path", { query: "/last/-1" }],
    ["a header", { headers: { "x-rewind": "-1" } }],
  ])("may have come from %s", async (_, init) => {
    const { hub, errors } = openHub();
    expect((await hub.response(request(init), { channels: ["a"], rewind: -1 })).status).toBe(400);
    expect(errors.splice(0)).toEqual([["request", expect.stringContaining("rewind")]]);
  });

  test("is not NaN, which Number() makes of other text and of none", async () => {
    const { hub, errors } = openHub();
    expect((await hub.response(request(), { channels: ["a"], rewind: Number(undefined) })).status).toBe(400);
    expect(errors.splice(0)).toHaveLength(1);
  });
});
