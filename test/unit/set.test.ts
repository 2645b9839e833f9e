import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { EventSource, EventSourceSet, type SourceOptions } from "../../src/index.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { openSource, openWeb, tick } from "../support/web.ts";

/** A set of members with a client each. */
function openSet(count: number, options?: SourceOptions) {
  const members = Array.from({ length: count }, () => openWeb(options));
  return { set: new EventSourceSet(members.map((member) => member.source)), members };
}

const listeners = (source: EventSource) =>
  ["open", "close", "error", "overflow", "drain"].flatMap((type) => getEventListeners(source, type)).length +
  getEventListeners(source.signal, "abort").length;

describe("the set itself", () => {
  test("is a Set", () => {
    const [a, b] = [openSource(), openSource()];
    const set = new EventSourceSet([a, b, a]);
    expect(set).toBeInstanceOf(Set);
    expect([set.size, set.has(a), [...set], [...set.keys()]]).toEqual([2, true, [a, b], [a, b]]);
    expect(set.add(a)).toBe(set);
    expect([set.delete(a), set.delete(a), set.has(a), set.size]).toEqual([true, false, false, 1]);
    const seen: EventSource[] = [];
    set.forEach((member) => void seen.push(member));
    expect(seen).toEqual([b]);
  });

  test.each([undefined, null, []])("may begin empty: %j", (sources) => {
    expect(new EventSourceSet(sources).size).toBe(0);
  });

  test.each([undefined, null, 5, "a", {}, new EventTarget(), new Response()])(
    "rejects a value that is not a source: %s",
    (value) => {
      const set = new EventSourceSet();
      expect(() => set.add(value as never)).toThrow(expect.objectContaining({ code: "ERR_SSE_ARGUMENT" }));
      expect(set.size).toBe(0);
    },
  );

  test("leaves out a source that is closed already", async () => {
    const source = openSource();
    await source.close();
    expect(new EventSourceSet([source]).add(source).size).toBe(0);
  });

  test("delete and clear do not close", () => {
    const [a, b] = [openSource(), openSource()];
    const set = new EventSourceSet([a, b]);
    set.delete(a);
    set.clear();
    expect([set.size, a.readyState, b.readyState]).toEqual([0, EventSource.OPEN, EventSource.OPEN]);
  });
});

describe("dispatch", () => {
  test("serves every member, says how many, in one order", async () => {
    const { set, members } = openSet(3);
    expect(set.dispatch("a", { n: 1 }, { id: "7" })).toBe(3);
    expect(set.dispatchMessage("b")).toBe(3);
    expect(set.dispatchComment("c")).toBe(3);
    for (const { client } of members) {
      expect(await client.next()).toEqual({ type: "a", data: '{"n":1}', lastEventId: "7" });
      expect(await client.next()).toEqual({ type: "message", data: "b", lastEventId: "7" });
      await tick();
      expect(client.parser.comments.at(-1)).toBe("c");
    }
  });

  test("without members serves none", () => {
    const set = new EventSourceSet();
    expect([set.dispatch("t", 1), set.dispatchMessage(1), set.dispatchComment("c"), set.closeAll()]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test("encodes once for all", () => {
    const { set } = openSet(50);
    const toJSON = vi.fn(() => "data");
    expect(set.dispatch("t", { toJSON })).toBe(50);
    expect(toJSON).toHaveBeenCalledOnce();
  });

  test("renders once for each render function, and each member receives its own", async () => {
    const bold = vi.fn((text: { s: string }) => `<b>${text.s}</b>`);
    const italic = vi.fn((text: { s: string }) => `<i>${text.s}</i>`);
    const members = [bold, italic, bold, undefined, italic].map((render) => openWeb(render ? { render } : {}));
    const set = new EventSourceSet(members.map((member) => member.source));
    expect(set.dispatch("t", { s: "x" })).toBe(5);
    expect([bold.mock.calls.length, italic.mock.calls.length]).toEqual([1, 1]);
    const heard = await Promise.all(members.map(async ({ client }) => (await client.next()).data));
    expect(heard).toEqual(["<b>x</b>", "<i>x</i>", "<b>x</b>", '{"s":"x"}', "<i>x</i>"]);
  });

  test.each<[string, unknown, object]>([
    ["t", 1n, {}],
    ["t\n", 1, {}],
    ["t", 1, { id: "a b" }],
    ["t", 1, { retry: 0 }],
    ["sse:gap", 1, {}],
  ])("bad data throws before anyone is served: %s %s %j", async (type, data, options) => {
    const { set, members } = openSet(2);
    expect(() => set.dispatch(type, data, options)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_SSE_/) }),
    );
    expect(() => new EventSourceSet().dispatch(type, data, options)).toThrow(TypeError);
    for (const { source, client } of members) {
      void source.close();
      expect(await client.rest()).toEqual([]);
    }
  });

  test("a render that fails for the last member throws before the first is served", async () => {
    const first = openWeb();
    const last = openWeb({
      render: () => {
        throw new Error("template");
      },
    });
    const set = new EventSourceSet([first.source, last.source]);
    expect(() => set.dispatch("t", {})).toThrow("template");
    void first.source.close();
    expect(await first.client.rest()).toEqual([]);
  });
});

describe("a member that closes leaves the set at once, not at the next dispatch:", () => {
  test("by close()", () => {
    const { set, members } = openSet(2);
    void members[0]?.source.close();
    expect([set.size, set.dispatch("t")]).toEqual([1, 1]);
  });

  test("because its client left", async () => {
    const { set, members } = openSet(2);
    await members[0]?.client.leave();
    expect([set.size, set.dispatch("t")]).toEqual([1, 1]);
  });

  test("from every set that it is in", async () => {
    const source = openSource();
    const sets = Array.from({ length: 20 }, () => new EventSourceSet([source]));
    for (const set of sets) expect(set.dispatch("t")).toBe(1);
    sets[7]?.delete(source);
    await source.close();
    expect(sets.map((set) => set.size)).toEqual(Array(20).fill(0));
  });

  test("before the listeners of its close event are called", () => {
    const { set, members } = openSet(3);
    const sizes: number[] = [];
    for (const { source } of members) source.addEventListener("close", () => sizes.push(set.size));
    void members[0]?.source.close();
    expect(sizes).toEqual([2]);
  });

  test("and a set that deleted it is not notified", async () => {
    const source = openSource();
    const set = new EventSourceSet([source]);
    set.clear();
    set.add(openSource());
    await source.close();
    expect(set.size).toBe(1);
  });
});

describe("no listener remains", () => {
  test.each<[string, (set: EventSourceSet, source: EventSource) => unknown]>([
    ["delete", (set, source) => set.delete(source)],
    ["clear", (set) => set.clear()],
    ["close", (_, source) => source.close()],
    ["closeAll", (set) => set.closeAll()],
  ])("after %s, whether in one set or in many", async (_, act) => {
    const source = openSource();
    const before = listeners(source);
    const sets = Array.from({ length: 12 }, () => new EventSourceSet([source]));
    for (const set of sets) {
      set.dispatch("t");
      await act(set, source);
    }
    expect(listeners(source)).toBe(before);
  });
});

describe("an unreferenced set is not held by its former members", () => {
  test.each<[string, (set: EventSourceSet, source: EventSource) => unknown]>([
    ["delete", (set, source) => set.delete(source)],
    ["clear", (set) => set.clear()],
  ])("after %s", async (_, act) => {
    const source = openSource();
    const sets = Array.from({ length: 5 }, () => {
      const set = new EventSourceSet([source]);
      act(set, source);
      return new WeakRef(set);
    });
    // Bun takes what is left on the stack for a reference, so that one set may outlast a collection. They are counted, since
    // the error of an expectation would hold them.
    await vi.waitFor(async () => {
      await tick();
      collectGarbage();
      expect(sets.filter((set) => set.deref() !== undefined).length).toBe(0);
    });
  });
});

describe("closeAll", () => {
  test("closes, empties and says how many", async () => {
    const { set, members } = openSet(3);
    const reasons: string[] = [];
    for (const { source } of members) source.addEventListener("close", (event) => reasons.push(event.reason));
    expect(set.closeAll("restart")).toBe(3);
    expect([set.size, set.closeAll()]).toEqual([0, 0]);
    expect(reasons).toEqual(["restart", "restart", "restart"]);
  });

  test("sends what was dispatched before", async () => {
    const { set, members } = openSet(2);
    set.dispatch("bye", 1);
    set.closeAll();
    for (const { client } of members) expect((await client.rest()).map((event) => event.type)).toEqual(["bye"]);
  });

  test("counts the members that it closed, not those that a listener closed", () => {
    const { set, members } = openSet(3);
    members[0]?.source.addEventListener("close", () => void members[1]?.source.close("other"));
    expect(set.closeAll()).toBe(2);
    expect(members[1]?.source.closeReason).toBe("other");
  });
});

describe("members that listeners add or remove during a dispatch do no harm:", () => {
  /** A member whose overflow listener runs in the middle of a dispatch. */
  function openTight() {
    const member = openWeb({ maxBufferedBytes: 300, onOverflow: "drop" });
    expect(member.source.dispatch("fill", "x".repeat(180))).toBe(true);
    return member;
  }

  test("removed, also those that come later in the walk", () => {
    const [first, tight, last] = [openWeb(), openTight(), openWeb()];
    const set = new EventSourceSet([first.source, tight.source, last.source]);
    tight.source.addEventListener("overflow", () => set.clear());
    expect(() => set.dispatch("t", "x".repeat(180))).not.toThrow();
    expect(set.size).toBe(0);
    expect(set.dispatch("t")).toBe(0);
  });

  test("closed later in the walk: it is not counted as served", () => {
    const [tight, last] = [openTight(), openWeb()];
    const set = new EventSourceSet([tight.source, last.source]);
    tight.source.addEventListener("overflow", () => void last.source.close());
    expect(set.dispatch("t", "x".repeat(180))).toBe(0);
    expect([...set]).toEqual([tight.source]);
  });

  test("added: served from the next one on, and no endless walk", async () => {
    const tight = openTight();
    const set = new EventSourceSet([tight.source]);
    const late = openWeb();
    tight.source.addEventListener("overflow", () => set.add(late.source));
    set.dispatch("first", "x".repeat(180));
    set.dispatch("second", "x".repeat(180));
    expect((await late.client.next()).type).toBe("second");
  });

  test("removed and added again: served once", async () => {
    const [tight, last] = [openTight(), openWeb()];
    const set = new EventSourceSet([tight.source, last.source]);
    tight.source.addEventListener("overflow", () => {
      set.delete(last.source);
      set.add(last.source);
    });
    expect(set.dispatch("t", "x".repeat(180))).toBe(1);
    void last.source.close();
    expect(await last.client.rest()).toHaveLength(1);
  });
});

describe("one broken member never affects the others:", () => {
  const broken: [string, () => EventSource][] = [
    [
      "whose onOverflow throws",
      () => {
        const onOverflow = () => {
          throw new Error("mine");
        };
        return openSource({ maxBufferedBytes: 0, onOverflow });
      },
    ],
    ["that is full", () => openSource({ maxBufferedBytes: 0 })],
    ["that drops", () => openSource({ maxBufferedBytes: 0, onOverflow: "drop" })],
  ];

  test.each(broken)("one %s", async (_, make) => {
    const [before, after] = [openWeb(), openWeb()];
    const set = new EventSourceSet([before.source, make(), after.source]);
    expect(set.dispatch("t", 1)).toBe(2);
    for (const { client } of [before, after]) expect((await client.next()).data).toBe("1");
  });
});
