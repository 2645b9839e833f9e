import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Http1Client } from "../support/client.ts";
import { root } from "../support/package.ts";

const source = join(root, "src");
let child: ChildProcess | undefined;
let clients: Http1Client[] = [];

afterEach(async () => {
  for (const client of clients) client.leave();
  clients = [];
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  child = undefined;
});

/** The server of fixtures/shutdown.mjs in a process of its own. */
async function start(...words: string[]) {
  const script = join(root, "test/contracts/fixtures/shutdown.mjs");
  const running = spawn(process.execPath, [script, source, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  child = running;
  let output = "";
  let changed = () => {};
  for (const stream of [running.stdout, running.stderr]) {
    stream.on("data", (bytes) => {
      output += bytes;
      changed();
    });
  }
  const exited = once(running, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const said = async (what: string) => {
    while (!output.includes(what)) await new Promise<void>((resolve) => (changed = resolve));
  };
  await said("port ");
  await said("\n");
  const port = Number(/port (\d+)/.exec(output)?.[1]);
  return {
    exited,
    said,
    output: () => output.split("\n").slice(1, -1),
    kill: (signal: NodeJS.Signals) => running.kill(signal),
    connect(path: string) {
      const client = new Http1Client(port, { path });
      clients.push(client);
      return client;
    },
  };
}

describe.each(["SIGTERM", "SIGHUP"] as const)("%s", (signal) => {
  test.each(["/node", "/web"])("ends every open stream properly, then the process dies by it: %s", async (path) => {
    const server = await start();
    const streams = Array.from({ length: 5 }, () => server.connect(path));
    for (const stream of streams) await stream.next();
    server.kill(signal);
    expect(await Promise.all(streams.map((stream) => stream.rest()))).toEqual(Array(5).fill("end"));
    expect(await server.exited).toEqual([null, signal]);
    expect(server.output()).toEqual(Array(5).fill("closed shutdown"));
    for (const { parser } of streams) expect([parser.events.length, parser.complete]).toEqual([1, true]);
  });

  test("is not lost in the moment in which the last client leaves", async () => {
    for (let round = 0; round < 10; round++) {
      const server = await start();
      const stream = server.connect("/node");
      await stream.next();
      // Stopped, the process gets both at once when it continues.
      server.kill("SIGSTOP");
      stream.leave();
      server.kill(signal);
      server.kill("SIGCONT");
      expect(await server.exited).toEqual([null, signal]);
    }
  });

  test("is not lost in the turn in which the application closes its last stream", async () => {
    const server = await start();
    const stream = server.connect("/node");
    await stream.next();
    await server.connect(`/close?signal=${signal}`).rest();
    expect(await server.exited).toEqual([null, signal]);
  });

  test("is not lost in the turn in which the handlers are removed", async () => {
    const server = await start();
    const stream = server.connect("/node");
    await stream.next();
    stream.leave();
    await server.said("closed disconnected");
    await server.connect(`/block?signal=${signal}`).rest();
    expect(await server.exited).toEqual([null, signal]);
  });

  test("a process without open streams dies at once, as if the package were not there", async () => {
    const server = await start();
    const stream = server.connect("/node");
    await stream.next();
    stream.leave();
    await server.said("closed disconnected");
    server.kill(signal);
    expect(await server.exited).toEqual([null, signal]);
  });
});

test("a client that does not read holds the process up no longer than a moment", async () => {
  const server = await start();
  const stream = server.connect("/node");
  await stream.next();
  stream.pause();
  server.kill("SIGTERM");
  expect(await server.exited).toEqual([null, "SIGTERM"]);
});

test("a second signal is not waited for", async () => {
  const server = await start();
  await server.connect("/node").next();
  server.kill("SIGTERM");
  await server.said("closed shutdown");
  server.kill("SIGHUP");
  expect((await server.exited)[0]).toBe(null);
});

describe("an application with a handler of its own keeps the say on exit", () => {
  test.each([
    ["on, before the first stream", "own-on"],
    ["once, before the first stream", "own-once"],
    ["once, after the first stream", "own-late"],
  ])("%s", async (_, word) => {
    const server = await start(word);
    const stream = server.connect("/node");
    await stream.next();
    server.kill("SIGTERM");
    expect(await stream.rest()).toBe("end");
    await server.said("own handler SIGTERM");
    // Longer than the package would wait for healthy clients: the process is there until the application ends it.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const bye = server.connect("/exit");
    await bye.until(() => bye.status === 200);
    expect(await server.exited).toEqual([7, null]);
    expect(server.output().sort()).toEqual(["closed shutdown", "own handler SIGTERM"]);
  });
});

test("an application that closes its server is not held up by connections on which a stream has ended", async () => {
  const server = await start("off", "own-close");
  const streams = Array.from({ length: 3 }, () => server.connect("/node"));
  for (const stream of streams) await stream.next();
  server.kill("SIGTERM");
  expect(await Promise.all(streams.map((stream) => stream.rest()))).toEqual(Array(3).fill("end"));
  expect(await server.exited).toEqual([0, null]);
  expect(server.output()).toEqual([...Array(3).fill("closed closed"), "server closed"]);
});

test("a library that ends the process where no other handler is, as signal-exit does, is not blocked", async () => {
  const server = await start("own-if-alone");
  await server.connect("/node").next();
  server.kill("SIGTERM");
  expect(await server.exited).toEqual([null, "SIGTERM"]);
  expect(server.output()).toEqual(["closed shutdown"]);
});

describe("a connection that arrives during the shutdown", () => {
  test("rule 14: gets 200, a large random retry and the end, so that its client comes back", async () => {
    const server = await start("own-on");
    await server.connect("/node").next();
    server.kill("SIGTERM");
    await server.said("own handler");
    const retries = new Set<number | undefined>();
    for (const path of ["/node", "/web", "/node", "/web", "/node"]) {
      const late = server.connect(path);
      expect(await late.rest()).toBe("end");
      expect(late.status).toBe(200);
      expect(late.headers["content-type"]).toBe("text/event-stream");
      expect(late.parser.later?.reason).toBe("shutdown");
      expect(late.parser.retry).toBeGreaterThanOrEqual(5_000);
      expect(late.parser.retry).toBeLessThanOrEqual(30_000);
      retries.add(late.parser.retry);
    }
    expect(retries.size).toBeGreaterThan(1);
  });
});

test("a process that outlives its signal accepts streams again after a minute, wherever the system's clock jumps", async () => {
  const server = await start("own-on");
  await server.connect("/node").next();
  server.kill("SIGTERM");
  await server.said("own handler");
  await server.connect("/later").rest();
  expect((await server.connect("/node").next()).type).toBe("hello");
});

describe("closeOnSignal: false", () => {
  test("leaves the signal to what it would do alone", async () => {
    const server = await start("off");
    const stream = server.connect("/node");
    await stream.next();
    server.kill("SIGTERM");
    expect(await server.exited).toEqual([null, "SIGTERM"]);
    expect(await stream.rest()).toBe("cut");
    expect(server.output()).toEqual([]);
  });

  test("is for each source: others are closed, this one stays open as long as the process", async () => {
    const server = await start("off", "own-on");
    const [off, on] = [server.connect("/node"), server.connect("/on")];
    await Promise.all([off.next(), on.next()]);
    server.kill("SIGTERM");
    expect(await on.rest()).toBe("end");
    await server.said("own handler");
    const late = server.connect("/node");
    expect((await late.next()).type).toBe("hello");
    expect(off.ended).toBe(null);
  });
});

test("two copies of the package close both their streams and do not block each other", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-copy-"));
  try {
    cpSync(source, folder, { recursive: true });
    const server = await start(`copy=${folder}`);
    const streams = [server.connect("/node"), server.connect("/copy")];
    for (const stream of streams) await stream.next();
    server.kill("SIGTERM");
    expect(await Promise.all(streams.map((stream) => stream.rest()))).toEqual(["end", "end"]);
    expect(await server.exited).toEqual([null, "SIGTERM"]);
    expect(server.output()).toEqual(["closed shutdown", "closed shutdown"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
