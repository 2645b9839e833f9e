/**
 * The rules of the standard for `EventSource`, one case each. They cover the subjects of the web platform tests for eventsource/
 * (the name in front of each), and run wherever the class does: on Node, in a page, in a worker. The native class runs them too,
 * which shows that the cases are right. They use nothing but the class, `fetch` and timers.
 */

/** The class under test, by its standard interface. */
export type StandardClass = new (url: string | URL, init?: object) => StandardEventSource;

interface StandardEventSource extends EventTarget {
  readonly url: string;
  readonly withCredentials: boolean;
  readonly readyState: number;
  onopen: ((event: Event) => unknown) | null;
  onmessage: ((event: MessageEvent<string>) => unknown) | null;
  onerror: ((event: Event) => unknown) | null;
  close(): void;
}

/** The environment of one case. */
export interface Lab {
  /** Opens a source on a stream that the query describes: see eventsource-server.ts. It is closed after the case. */
  open(query?: Record<string, string | number>, init?: object, path?: string): StandardEventSource;
  readonly Class: StandardClass & Record<string, unknown>;
  readonly origin: string;
  readonly otherOrigin: string;
  /** Asks the server about the requests of this case. */
  state(): Promise<{ requests: number; gone: boolean }>;
}

/** Throws where the case does not hold. */
type Case = (lab: Lab) => Promise<void> | void;

/** Cases that the class of Chromium fails. */
export const notInChromium: Readonly<Record<string, string>> = {
  "format-field-retry-empty: a time without digits is ignored": "it restores the default time",
  "format: utf-8: also where the type names another charset": "it closes, where the standard ignores the parameter",
};

/** Cases that no class outside of the browser can pass, with the reason. */
export const impossible: Readonly<Record<string, string>> = {
  "onmessage-trusted: events are trusted": "only the browser creates trusted events",
  "cross-origin: a server that allows no origin is final":
    "a script cannot tell a failure of CORS from one of the network, and the latter reconnects",
};

export const cases: Readonly<Record<string, Case>> = {
  // --- constructor and interface ---
  "constructor: the address is absolute": ({ open, origin }) => {
    equal(open({}, undefined, "/a/../stream").url.startsWith(`${origin}/stream?`), true);
  },
  "constructor-stringify: an object with toString() is an address": ({ Class, origin }) => {
    const source = new Class({ toString: () => `${origin}/stream` } as unknown as string);
    equal(source.url, `${origin}/stream`);
    source.close();
  },
  "constructor-url-bogus: an address that is not valid throws a SyntaxError": ({ Class }) => {
    for (const url of ["http://[::", "http://:80/"])
      equal(
        thrownBy(() => new Class(url)),
        "SyntaxError",
      );
  },
  "constructor: the address is required, and so is new": ({ Class }) => {
    equal(
      thrownBy(() => new (Class as unknown as new () => unknown)()),
      "TypeError",
    );
    equal(
      thrownBy(() => (Class as unknown as (url: string) => unknown)("http://localhost/")),
      "TypeError",
    );
  },
  "constructor: withCredentials is false by default": ({ open }) => {
    equal([open().withCredentials, open({}, { withCredentials: true }).withCredentials], [false, true]);
  },
  "interface: constants are on the class, its prototype and its instances": ({ Class, open }) => {
    const states = ["CONNECTING", "OPEN", "CLOSED"];
    const source = open() as unknown as Record<string, unknown>;
    const prototype = Class.prototype as unknown as Record<string, unknown>;
    for (const object of [Class, prototype, source])
      equal(
        states.map((name) => (object as typeof source)[name]),
        [0, 1, 2],
      );
  },
  "interface: an instance is an EventTarget of the name EventSource": ({ Class, open }) => {
    equal([open() instanceof EventTarget, Class.name], [true, "EventSource"]);
  },
  "prototype: methods that are added to it are those of instances": ({ Class, open }) => {
    (Class.prototype as unknown as { returnTrue(): boolean }).returnTrue = () => true;
    equal((open() as unknown as { returnTrue(): boolean }).returnTrue(), true);
  },
  "handlers: null at first, and for anything but a function": ({ open }) => {
    const source = open();
    const names = ["onopen", "onmessage", "onerror"] as const;
    equal(
      names.map((name) => source[name]),
      [null, null, null],
    );
    for (const name of names) {
      source[name] = (() => {}) as never;
      source[name] = 5 as never;
    }
    equal(
      names.map((name) => source[name]),
      [null, null, null],
    );
  },

  // --- events and states ---
  "onopen: an event that neither bubbles nor can be canceled": async ({ open }) => {
    const source = open({ body: ":\n" });
    equal(source.readyState, 0);
    const event = await next(source, "open");
    equal([event.bubbles, event.cancelable, "data" in event, source.readyState], [false, false, false, 1]);
  },
  "onmessage: a MessageEvent with data, origin and no ports": async ({ open, origin }) => {
    const event = await message(open({ body: "data: data\n\n" }));
    equal([event instanceof MessageEvent, event.data, event.origin], [true, "data", origin]);
    equal([event.bubbles, event.cancelable, event.source, event.ports.length], [false, false, null, 0]);
  },
  "onmessage-trusted: events are trusted": async ({ open }) => {
    equal((await message(open({ body: "data: a\n\n" }))).isTrusted, true);
  },
  "eventtarget: listeners and handlers are called": async ({ open }) => {
    const source = open({ body: "data: a\n\n" });
    let called = 0;
    source.onmessage = () => called++;
    await message(source);
    equal(called, 1);
  },
  "readyState: connecting, open, closed": async ({ open }) => {
    const source = open({ body: "data: a\n\n" });
    const states = [source.readyState];
    source.addEventListener("open", () => states.push(source.readyState));
    await message(source);
    source.close();
    equal([...states, source.readyState], [0, 1, 2]);
  },
  "close: before it is open, nothing happens any more": async ({ open }) => {
    const source = open({ body: "data: a\n\n" });
    const seen = record(source);
    source.close();
    equal(source.readyState, 2);
    await pause(200);
    equal(seen, []);
  },
  "close: in a message, the events after it are not dispatched": async ({ open }) => {
    const source = open({ body: "data: 1\n\ndata: 2\n\n" });
    const seen = record(source);
    source.addEventListener("message", () => source.close());
    await message(source);
    await pause(100);
    equal(seen, ["open", "1"]);
  },
  "request-cancellation: close() ends the request": async ({ open, state }) => {
    const source = open({ body: ":\n" });
    await next(source, "open");
    source.close();
    await until(async () => (await state()).gone);
  },

  // --- reconnecting ---
  "reconnect: after the end of a response, with an error event in between": async ({ open }) => {
    const source = open({ body: "retry: 50\ndata: 1\n\n", later: "data: 2\n\n", end: "first" });
    const seen = record(source);
    source.addEventListener("error", () => seen.push(`state ${source.readyState}`));
    await until(() => seen.includes("2"));
    equal(seen, ["open", "1", "error", "state 0", "open", "2"]);
  },
  "reconnect: with the last event id, as UTF-8": async ({ open }) => {
    const source = open({ body: "retry: 50\nid: …ü\ndata: 1\n\n", later: "data: {last-event-id}\n\n", end: "first" });
    const seen = record(source);
    await until(() => seen.length === 5);
    equal(seen[4], "…ü");
  },
  "reconnect: without a last event id after an empty one": async ({ open }) => {
    const body = "retry: 50\nid: 1\ndata: 1\n\nid\ndata: 2\n\n";
    const seen = record(open({ body, later: "data: {last-event-id}\n\n", end: "first" }));
    await until(() => seen.length === 6);
    equal(seen[5], "none");
  },
  "reconnect: an unfinished event is discarded, its id too": async ({ open }) => {
    const body = "retry: 50\nid: 1\ndata: 1\n\nid: 2\ndata: x";
    const seen = record(open({ body, later: "data: {last-event-id}\n\n", end: "first" }));
    await until(() => seen.length === 5);
    equal(seen, ["open", "1", "error", "open", "1"]);
  },
  "reconnect-fail: a status other than 200 ends it": async ({ open, state }) => {
    const source = open({ body: "retry: 50\ndata: 1\n\n", laterStatus: 500, end: "first" });
    const seen = record(source);
    await until(() => source.readyState === 2);
    equal([seen, (await state()).requests], [["open", "1", "error", "error"], 2]);
  },
  "reconnect: a network error is tried again": async ({ open, state }) => {
    const source = open({ body: "retry: 50\ndata: 1\n\n", laterStatus: 0, end: "first" });
    record(source);
    await until(async () => (await state()).requests >= 4);
    equal(source.readyState, 0);
  },
  "format-field-retry: the time of the server counts, from its line on": async ({ open }) => {
    const source = open({ body: "retry: 600\n\ndata: 1\n\n", later: "data: 2\n\n", end: "first" });
    await next(source, "error");
    const start = Date.now();
    await message(source);
    const waited = Date.now() - start;
    equal([waited >= 550, waited < 2_900], [true, true]);
  },
  "format-field-retry-bogus: a time with letters is ignored": async ({ open }) => {
    const source = open({
      body: "retry: 300\nretry: 60000x\nretry: -1\nretry: 1e9\ndata: 1\n\n",
      later: "data: 2\n\n",
      end: "first",
    });
    await next(source, "error");
    const start = Date.now();
    await message(source);
    equal(Date.now() - start < 2_900, true);
  },

  "format-field-retry-empty: a time without digits is ignored": async ({ open }) => {
    const source = open({ body: "retry: 300\nretry\nretry:\ndata: 1\n\n", later: "data: 2\n\n", end: "first" });
    await next(source, "error");
    const start = Date.now();
    await message(source);
    equal(Date.now() - start < 2_900, true);
  },

  // --- the format ---
  ...format("bom: one at the start is ignored", { hex: `efbbbf${hex("data:1\n\n")}` }, ["1"]),
  ...format("bom-2: a second one is part of a name", { hex: `efbbbfefbbbf${hex("data:1\n\ndata:2\n\n")}` }, ["2"]),
  ...format("comments", { body: "data:1\r:\0\n:\r\ndata:2\n:long\rdata:3\n:data:fail\r:x\ndata:4\n\n" }, [
    "1\n2\n3\n4",
  ]),
  ...format("data-before-final-empty-line: nothing without it", { body: "data: 1\n\ndata: 2\n" }, ["1"]),
  ...format("field-data", { body: "data:\n\ndata\ndata\n\ndata:test\n\n" }, ["", "\n", "test"]),
  ...format(
    "field-parsing",
    {
      body: "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
    },
    ["\0\n 2\n1\n3\n\n4"],
  ),
  ...format("field-unknown", { body: "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacomment\n\n" }, [
    "test\n",
  ]),
  ...format("leading-space", { body: "data:\ttest\rdata: \ndata:test\n\n" }, ["\ttest\n\ntest"]),
  ...format("newlines", { body: "data:test\r\ndata\ndata:test\r\n\r" }, ["test\n\ntest"]),
  ...format("null-character", { body: "data:\0\n\n" }, ["\0"]),
  ...format("utf-8", { body: "data:ok…\n\n" }, ["ok…"]),
  ...format(
    "utf-8: also where the type names another charset",
    { body: "data:ok…\n\n", type: "text/event-stream;charset=windows-1252" },
    ["ok…"],
  ),
  "field-event: the type is that of the event": async ({ open }) => {
    const event = await next(open({ body: "event:test\ndata:x\n\n" }), "test");
    equal([event.type, (event as MessageEvent).data], ["test", "x"]);
  },
  ...format("field-event-empty: an empty type is message", { body: "event: \ndata:data\n\n" }, ["data"]),
  ...format("field-event: a type without data dispatches nothing", { body: "event: message\n\ndata: 1\n\n" }, ["1"]),
  "field-id: the id of the event, kept for those after it": async ({ open }) => {
    const ids: string[] = [];
    const source = open({ body: "id: 1\ndata: 1\n\ndata: 2\n\nid: 3\0\ndata: 3\n\nid\ndata: 4\n\n" });
    source.onmessage = ({ lastEventId }) => ids.push(lastEventId);
    await until(() => ids.length === 4);
    equal(ids, ["1", "1", "1", ""]);
  },
  "a type named error is dispatched as a MessageEvent": async ({ open }) => {
    equal((await next(open({ body: "event: error\ndata: x\n\n" }), "error")) instanceof MessageEvent, true);
  },

  // --- responses ---
  ...final("mime-bogus", { type: "x bogus", body: "data: x\n\n" }),
  ...final("mime: text/plain", { type: "text/plain", body: "data: x\n\n" }),
  ...final("mime: none", { type: "", body: "data: x\n\n" }),
  ...format("mime-trailing-semicolon", { type: "text/event-stream;", body: "data: data\n\n" }, ["data"]),
  ...format("mime-valid-bogus", { type: "text/event-stream;x=bogus", body: "data: data\n\n" }, ["data"]),
  ...Object.assign(
    {},
    ...[204, 205, 210, 299, 400, 404, 410, 500, 503, 504, 599].map((status) =>
      final(`status-error: ${status}`, { status, body: "data: x\n\n" }),
    ),
  ),
  ...Object.assign(
    {},
    ...[301, 302, 303, 307, 308].map((status) =>
      format(`request-redirect: ${status}`, { redirect: status, body: "data: data\n\n" }, ["data"]),
    ),
  ),

  // --- requests ---
  ...format("request-accept", { body: "data: {accept}\n\n" }, ["text/event-stream"]),
  ...format("request-cache-control", { body: "data: {cache-control}\n\n" }, ["no-cache"]),
  ...format("request: the first one has no last event id", { body: "data: {last-event-id}\n\n" }, ["none"]),
  "cross-origin: an origin that is allowed, as the origin of events": async ({ open, otherOrigin }) => {
    const event = await message(open({ cors: "origin", body: "data: data\n\n" }, undefined, `${otherOrigin}/stream`));
    equal([event.data, event.origin], ["data", otherOrigin]);
  },
  "cross-origin: a redirect to another origin gives its origin": async ({ open, otherOrigin }) => {
    const query = { cors: "*", redirect: 302, to: otherOrigin, body: "data: data\n\n" };
    equal((await message(open(query))).origin, otherOrigin);
  },
  "cross-origin: a status error is final": async ({ open, otherOrigin }) => {
    const source = open({ cors: "*", status: 404 }, undefined, `${otherOrigin}/stream`);
    await next(source, "error");
    equal(source.readyState, 2);
  },
  "cross-origin: a server that allows no origin is final": async ({ open, otherOrigin }) => {
    if (!("location" in globalThis)) throw new Error("There is no CORS here");
    const source = open({ body: "data: data\n\n" }, undefined, `${otherOrigin}/stream`);
    await next(source, "error");
    equal(source.readyState, 2);
  },
};

// --- kinds of cases ---

/** The messages of a stream. */
function format(
  name: string,
  query: Record<string, string | number>,
  expected: readonly string[],
): Record<string, Case> {
  return {
    [`format: ${name}`]: async ({ open }) => {
      const seen: string[] = [];
      const source = open(query);
      source.onmessage = ({ data }) => seen.push(data);
      await until(() => seen.length >= expected.length);
      // More would have come with them.
      await pause(20);
      equal(seen, expected);
    },
  };
}

/** A response after which there is no other request. */
function final(name: string, query: Record<string, string | number>): Record<string, Case> {
  return {
    [name]: async ({ open, state }) => {
      // A browser sniffs the type of a response, and waits for its end.
      const source = open({ ...query, end: "always" });
      const seen = record(source);
      await next(source, "error");
      equal([source.readyState, seen], [2, ["error"]]);
      equal((await state()).requests, 1);
    },
  };
}

// --- helpers ---

/** The events of a source as they come: the data of messages, the names of the others. */
function record(source: StandardEventSource): string[] {
  const seen: string[] = [];
  source.addEventListener("open", () => seen.push("open"));
  source.addEventListener("error", () => seen.push("error"));
  source.addEventListener("message", (event) => seen.push((event as MessageEvent<string>).data));
  return seen;
}

function next(source: StandardEventSource, type: string): Promise<Event> {
  return new Promise((resolve) => source.addEventListener(type, resolve, { once: true }));
}

function message(source: StandardEventSource): Promise<MessageEvent<string>> {
  return next(source, "message") as Promise<MessageEvent<string>>;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < 1_000; n++) {
    if (await condition()) return;
    await pause(10);
  }
  throw new Error(`Not within ten seconds: ${condition}`);
}

function equal(found: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`It is ${one} and not ${other}`);
}

/** The name of the error that a function throws. */
function thrownBy(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof TypeError ? "TypeError" : (error as Error).name;
  }
  return "nothing";
}

function hex(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Runs a case.
 *
 * @param environment Sets the keys of the server apart.
 * @returns The message of its failure; `null` if it holds.
 */
export async function runCase(
  name: string,
  Class: StandardClass,
  { origin, otherOrigin, environment }: { origin: string; otherOrigin: string; environment: string },
): Promise<string | null> {
  const key = encodeURIComponent(`${environment} ${name}`);
  const sources: StandardEventSource[] = [];
  const lab: Lab = {
    Class: Class as Lab["Class"],
    origin,
    otherOrigin,
    open(query = {}, init, path = "/stream") {
      const parameters = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
      const url = `${path.startsWith("/") ? origin : ""}${path}?key=${key}&${parameters}`;
      const source = init === undefined ? new Class(url) : new Class(url, init);
      sources.push(source);
      return source;
    },
    state: async () => (await fetch(`${origin}/state?key=${key}`)).json(),
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("It hangs")), 20_000);
  });
  try {
    await Promise.race([cases[name]?.(lab), deadline]);
    return null;
  } catch (error) {
    return String((error as Error).message ?? error);
  } finally {
    clearTimeout(timer);
    for (const source of sources) source.close();
  }
}
