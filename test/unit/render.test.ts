/** Render functions as htmx-router passes them on: `(jsx, headers)`, which may be asynchronous. */
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { resetWarnings } from "../../src/base/warn.ts";
import { EventSource, EventSourceSet, type Render } from "../../src/index.ts";
import { expectConsole } from "../support/console.ts";
import { BodyReader, openWeb, request, tick } from "../support/web.ts";

/** The type of `RouteContext["render"]` in htmx-router 1.0.3. */
type HtmxRender = (res: { element: string }, headers: Headers) => Promise<Response | BodyInit> | Response | BodyInit;

afterEach(resetWarnings);

const element = (text: string) => ({ element: text });
const markup = (given: { element: string }) => `<b>${given.element}</b>`;

/** The data of everything that a source sent until its end. */
async function dataOf(source: EventSource<true>): Promise<string[]> {
  const client = new BodyReader(source.response());
  await source.close();
  return (await client.rest()).map(({ data }) => data);
}

test("the render function of htmx-router fits", () => {
  expectTypeOf<HtmxRender>().toExtend<Render>();
  expectTypeOf((render: HtmxRender) => new EventSource<true>(request(), render)).returns.toExtend<EventSource<true>>();
});

describe("a render function", () => {
  const returned: [string, HtmxRender][] = [
    ["a string", (given) => markup(given)],
    ["a promise of a string", async (given) => markup(given)],
    ["a Response", (given) => new Response(markup(given))],
    ["a promise of a Response", async (given) => new Response(markup(given))],
    ["bytes", (given) => new TextEncoder().encode(markup(given))],
    ["a promise of bytes", async (given) => new TextEncoder().encode(markup(given)).buffer],
    ["a Blob", (given) => new Blob([markup(given)])],
  ];
  test.each(returned)("may return %s", async (_, render) => {
    const source = new EventSource<true>(request(), render);
    expect(source.dispatch("message", element("hello"))).toBe(true);
    expect(await dataOf(source)).toEqual(["<b>hello</b>"]);
  });

  test("gets headers that it may set, which are not sent", async () => {
    const source = new EventSource<true>(request(), (given: { element: string }, headers: Headers) => {
      headers.set("content-type", "text/html; charset=UTF-8");
      return markup(given);
    });
    source.dispatch("message", element("hello"));
    const response = source.response();
    await source.close();
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await response.text()).toContain("<b>hello</b>");
  });
});

describe("while markup is being rendered", () => {
  /** A source whose markup the test finishes, in any order. */
  function openLate() {
    const ready = new Map<string, (text: string) => void>();
    const fail = new Map<string, (error: Error) => void>();
    const render = (given: { element: string }) =>
      new Promise<string>((resolve, reject) => {
        ready.set(given.element, resolve);
        fail.set(given.element, reject);
      });
    const { source, client } = openWeb({ render });
    const late = source as unknown as EventSource<true>;
    const finish = (name: string) => ready.get(name)?.(`<i>${name}</i>`);
    return { source: late, client, finish, fail };
  }

  test("later events wait, and all arrive in the order of their dispatches", async () => {
    const { source, client, finish } = openLate();
    for (const data of [element("1"), "two", element("3")]) source.dispatch("t", data);
    source.dispatchComment("four");
    finish("3");
    await tick();
    expect(client.parser.events).toEqual([]);
    finish("1");
    expect([(await client.next()).data, (await client.next()).data, (await client.next()).data]).toEqual([
      "<i>1</i>",
      "two",
      "<i>3</i>",
    ]);
    await source.close();
    await client.rest();
    expect(client.text).toMatch(/<i>3<\/i>\n\n: four\n/);
  });

  test("the end waits for what was dispatched before it", async () => {
    const { source, client, finish } = openLate();
    source.dispatch("t", element("1"));
    const closed = source.close();
    expect([source.readyState, source.dispatch("t", "late")]).toEqual([2, false]);
    finish("1");
    await closed;
    expect((await client.rest()).map(({ data }) => data)).toEqual(["<i>1</i>"]);
  });

  test("one that never settles is given up: its event fails, those after it arrive, and the stream can end", async () => {
    expectConsole(/an asynchronous render function failed.*render\(\) has not settled within 30 ms/);
    const render = (given: { element: string }) =>
      given.element === "never" ? new Promise<string>(() => {}) : "<i>ok</i>";
    const { source: untyped, client } = openWeb({ render, renderTimeout: 30 });
    const source = untyped as unknown as EventSource<true>;
    const errors: unknown[] = [];
    source.addEventListener("error", ({ error }) => errors.push(error));
    source.dispatch("t", element("never"));
    source.dispatch("t", element("ok"));
    await source.close();
    expect((await client.rest()).map(({ data }) => data)).toEqual(["<i>ok</i>"]);
    expect(errors).toMatchObject([{ code: "ERR_SSE_TIMEOUT" }]);
  });

  test("a client that leaves gets nothing more, and nothing fails", async () => {
    const { source, client, finish } = openLate();
    source.dispatch("t", element("1"));
    await client.leave();
    finish("1");
    await tick();
    expect(source.closeReason).toBe("disconnected");
  });

  test("a failure is an event of the source and a warning, and the others are sent", async () => {
    const lines = expectConsole(/an asynchronous render function failed.*no template/);
    const { source, client, fail } = openLate();
    const errors: unknown[] = [];
    source.addEventListener("error", ({ error }) => errors.push(error));
    source.dispatch("t", element("1"));
    source.dispatch("t", "two");
    fail.get("1")?.(new Error("no template"));
    expect((await client.next()).data).toBe("two");
    expect([errors.map(String), lines.length]).toEqual([["Error: no template"], 1]);
  });

  test("the other fields of an event are checked at once", () => {
    const { source } = openLate();
    expect(() => source.dispatch("a\nb", element("1"))).toThrow(expect.objectContaining({ code: "ERR_SSE_TYPE" }));
    expect(() => source.dispatch("t", element("1"), { id: "a b" })).toThrow(
      expect.objectContaining({ code: "ERR_SSE_ID" }),
    );
  });

  test("a set renders once for all members, and counts them", async () => {
    let calls = 0;
    const render = async (given: { element: string }) => {
      calls++;
      return markup(given);
    };
    const members = [openWeb({ render }), openWeb({ render })];
    const set = new EventSourceSet<true>(members.map(({ source }) => source as unknown as EventSource<true>));
    expect(set.dispatch("t", element("all"))).toBe(2);
    for (const { client } of members) expect((await client.next()).data).toBe("<b>all</b>");
    expect(calls).toBe(1);
  });

  test("a pipe sends its pieces in order, and fails with the function", async () => {
    expectConsole();
    const { source, client } = openWeb({
      render: async (given: { element: string }) => {
        if (given.element === "bad") throw new Error("no template");
        return markup(given);
      },
    });
    expect(await source.pipe([element("1"), element("2")])).toEqual({ ended: "done", events: 2 });
    expect([(await client.next()).data, (await client.next()).data]).toEqual(["<b>1</b>", "<b>2</b>"]);
    expect(await source.pipe([element("bad")])).toMatchObject({ ended: "failed" });
  });
});
