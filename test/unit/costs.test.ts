import type { EventEmitter } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { EventSourceSet } from "../../src/index.ts";
import { Sink } from "../../src/sinks/sink.ts";
import { Stream } from "../../src/source/stream.ts";
import { joined, openHub } from "../support/hub.ts";
import { openSource, tick } from "../support/web.ts";

// Costs that do not depend on the machine: how often an operation runs for each delivery and for each connection.

const members = 50;

/** A response whose socket leads nowhere and counts what is written to it. */
class Wire {
  readonly socket: Socket = new Socket();
  readonly req: IncomingMessage = new IncomingMessage(this.socket);
  readonly res: ServerResponse;
  writes = 0;
  /** The pieces of the last write. */
  pieces: Uint8Array[] = [];

  constructor() {
    const done = (callback: (error?: Error | null) => void) => {
      this.writes++;
      callback();
    };
    this.socket._write = (_chunk, _encoding, callback) => done(callback);
    this.socket._writev = (chunks, callback) => {
      this.pieces = chunks.map(({ chunk }) => chunk);
      done(callback);
    };
    this.req.httpVersionMajor = this.req.httpVersionMinor = 1;
    this.req.method = "GET";
    this.req.url = "/";
    this.res = new ServerResponse(this.req);
    this.res.assignSocket(this.socket);
    wires.push(this);
  }

  get listeners(): number {
    const count = (emitter: EventEmitter) =>
      emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
    return count(this.socket) + count(this.res) + count(this.req);
  }
}

const wires: Wire[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const { socket } of wires.splice(0)) socket.destroy();
  await tick();
});

/** A publisher with fifty connections on Node: a set, or a channel of a hub. */
type Open = (count?: number) => Promise<(data: string) => unknown>;

const kinds: Record<string, Open> = {
  async "a set"(count = members) {
    const set = new EventSourceSet();
    for (let index = 0; index < count; index++) {
      const { req, res } = new Wire();
      set.add(openEventSource(req, res));
    }
    return (data) => set.dispatch("tick", data);
  },
  async "a hub on memory"(count = members) {
    const { hub } = openHub();
    for (let index = 0; index < count; index++) {
      const { req, res } = new Wire();
      await respond(hub, req, res, { channels: ["ticks"] });
    }
    await tick();
    const channel = hub.channel("ticks");
    return (data) => channel.dispatch("tick", data);
  },
};

describe.each(Object.entries(kinds))("%s", (_name, open) => {
  it("makes one write for a delivery", async () => {
    const publish = await open();
    await tick();
    const before = writes();
    await publish("one");
    await tick();
    expect(writes() - before).toBe(members);
  });

  it("makes one write for all that a tick brings", async () => {
    const publish = await open();
    await tick();
    const before = writes();
    await Promise.all(Array.from({ length: 16 }, (_, index) => publish(String(index))));
    await tick();
    expect(writes() - before).toBe(members);
  });

  it("encodes an event once, however many connections there are", async () => {
    const publish = await open();
    await tick();
    const encode = vi.spyOn(TextEncoder.prototype, "encode");
    const encodeInto = vi.spyOn(TextEncoder.prototype, "encodeInto");
    await publish("one");
    await tick();
    expect(encode.mock.calls.length + encodeInto.mock.calls.length).toBe(1);
  });

  it("has as many timers for fifty connections as for one", async () => {
    const timers = async (count: number) => {
      const timeout = vi.spyOn(globalThis, "setTimeout");
      const interval = vi.spyOn(globalThis, "setInterval");
      await open(count);
      const made = timeout.mock.calls.length + interval.mock.calls.length;
      vi.restoreAllMocks();
      return made;
    };
    const one = await timers(1);
    expect(await timers(members)).toBeLessThanOrEqual(one);
  });

  it("listens twice on each connection, to its end and to its failure", async () => {
    await open();
    const untouched = new Wire();
    untouched.res.writeHead(200);
    untouched.res.write(":\n");
    for (const wire of wires) if (wire !== untouched) expect(wire.listeners - untouched.listeners).toBe(2);
  });

  it("listens to the signals of the process once for all connections", async () => {
    await open(1);
    const one = process.listenerCount("SIGTERM");
    await open();
    expect(process.listenerCount("SIGTERM")).toBe(one);
  });

  it("allocates less than half a kilobyte for a delivery", async () => {
    const publish = await open();
    const taken: number[] = [];
    for (let round = 0; round < 300; round++) {
      const before = process.memoryUsage().heapUsed;
      for (let index = 0; index < 4; index++) {
        await publish("x".repeat(100));
        await tick();
      }
      taken.push((process.memoryUsage().heapUsed - before) / (4 * members));
    }
    // Some rounds are interrupted by a collection.
    expect(taken.sort((a, b) => a - b)[150]).toBeLessThan(512);
  });
});

it("a dispatch of a set touches none of its members before the end of the tick", async () => {
  const publish = await (kinds["a set"] as Open)();
  await tick();
  // The first event finds out that all members have room.
  publish("one");
  const touches = [
    vi.spyOn(Stream.prototype, "deliver"),
    vi.spyOn(Stream.prototype, "canShare", "get"),
    vi.spyOn(Sink.prototype, "write"),
    vi.spyOn(Sink.prototype, "flushWith"),
  ];
  for (let event = 0; event < 16; event++) publish("two");
  expect(touches.map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0, 0]);
  const before = writes();
  await tick();
  expect([writes() - before, touches[3]?.mock.calls.length]).toEqual([members, members]);
});

it("the text of a header is kept as one string", () => {
  // The V8 of Node 22 does not tell.
  if (Number.parseInt(process.versions.node, 10) < 24) return;
  setFlagsFromString("--allow-natives-syntax");
  const isFlat = runInNewContext("(text) => %StringIsFlat(text)") as (text: unknown) => boolean;
  const [byHand, ours] = [new Wire(), new Wire()];
  byHand.res.writeHead(200, { "content-type": "text/event-stream" });
  openEventSource(ours.req, ours.res);
  const header = ({ res }: Wire) => (res as unknown as { _header: string })._header;
  const flat = [isFlat(header(byHand)), isFlat(header(ours))];
  // Not earlier: V8 compiles the function when it is called.
  setFlagsFromString("--no-allow-natives-syntax");
  expect(flat).toEqual([false, true]);
});

it("a subscription opens in the turn of the event loop in which its request came: one write, with its replay", async () => {
  const { hub } = openHub();
  const first = await hub.channel("ticks").dispatch("tick", 0);
  for (let event = 1; event <= 100; event++) await hub.channel("ticks").dispatch("tick", event);
  await tick();
  stopClock();
  const { req, res } = new Wire();
  req.headers["last-event-id"] = first;
  const before = writes();
  void respond(hub, req, res, { channels: ["ticks"] });
  await tick();
  await new Promise((resolve) => process.nextTick(resolve));
  expect([writes() - before, hub.stats().deliveries]).toEqual([1, 100]);
});

it("allocates less than 12 kB to admit a subscription, Node included", async () => {
  const { hub } = openHub();
  const taken: number[] = [];
  for (let round = 0; round < 120; round++) {
    const clients = Array.from({ length: 10 }, () => new Wire());
    const before = process.memoryUsage().heapUsed;
    for (const { req, res } of clients) void respond(hub, req, res, { channels: ["ticks"] });
    await tick();
    taken.push((process.memoryUsage().heapUsed - before) / clients.length);
  }
  // Some rounds are interrupted by a collection, and the first ones by a compiler.
  const typical = taken.filter((bytes) => bytes > 0).sort((a, b) => a - b);
  expect(typical[typical.length >> 1]).toBeLessThan(12_000);
});

it("a replay is not copied for the clients that share it: each gets its own opening, and then the same bytes", async () => {
  const { hub } = openHub();
  const first = await hub.channel("ticks").dispatch("tick", 0);
  for (let event = 1; event <= 100; event++) await hub.channel("ticks").dispatch("tick", "x".repeat(100));
  await tick();
  stopClock();
  const clients = Array.from({ length: 3 }, () => new Wire());
  for (const { req, res } of clients) {
    req.headers["last-event-id"] = first;
    void respond(hub, req, res, { channels: ["ticks"] });
  }
  await tick();
  await new Promise((resolve) => process.nextTick(resolve));
  const replays = clients.map(({ pieces }) => pieces.filter(({ length }) => length > 10_000));
  expect(replays.map(({ length }) => length)).toEqual([1, 1, 1]);
  expect(new Set(replays.flat().map(({ buffer }) => buffer)).size).toBe(1);
});

it("connections with the same reconnection time share their opening", () => {
  const encode = vi.spyOn(TextEncoder.prototype, "encodeInto");
  for (let count = 0; count < 20; count++) openSource({ retry: 12_345 });
  expect(encode).toHaveBeenCalledTimes(1);
});

it("a web body is given one chunk for all that a tick brings", async () => {
  const set = new EventSourceSet();
  const source = openSource();
  set.add(source);
  const reader = (source.response().body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  for (let index = 0; index < 16; index++) set.dispatch("tick", String(index));
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value).match(/^data: \d+$/gm)).toHaveLength(16);
});

it("encodes only those missed events that some client receives, once for all clients", async () => {
  const { hub } = openHub({ ring: { maxEvents: 1 }, retry: 4_321 });
  const start = await hub.cursor();
  const typeOf = (index: number) => (index === 40 ? "day" : index % 4 === 0 ? "hour" : "quarter");
  for (let index = 0; index <= 40; index++) await hub.channel("ticks").dispatch(typeOf(index));
  const encoded = async (type: string) => {
    const encode = vi.spyOn(TextEncoder.prototype, "encodeInto");
    const filter = (event: { type: string }) => event.type === type;
    await joined(hub, { channels: ["ticks"], filter }, { lastEventId: start });
    const { length } = encode.mock.calls;
    vi.restoreAllMocks();
    return length;
  };
  // The first one also encodes the opening and its checkpoint, which the others share.
  await encoded("none");
  const none = await encoded("none");
  // The pages are shared: a second reader finds the frames of the first.
  const each = [await encoded("hour"), await encoded("quarter"), await encoded("hour")];
  expect(each).toEqual([none + 10, none + 30, none]);
});

/** A machine that is busy with something else would use up the time that replays have in a turn. */
function stopClock(): void {
  vi.spyOn(performance, "now").mockReturnValue(performance.now());
}

function writes(): number {
  return wires.reduce((sum, wire) => sum + wire.writes, 0);
}
