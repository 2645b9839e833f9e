// The command as a process: against real servers, in real pipes, under real signals.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { respond } from "../../../src/adapters/node.ts";
import { createHub } from "../../../src/index.ts";
import { eventually, within } from "../../support/deadline.ts";
import { root } from "../../support/package.ts";
import { temporaryFile } from "../../support/temporary.ts";

const main = join(root, "src/cli/main.ts");
const deadlineMs = 15_000;

let server: Server;
let url: string;
const requests: IncomingMessage[] = [];
let answer: (res: ServerResponse, req: IncomingMessage, n: number) => unknown;
const children: ChildProcess[] = [];

beforeEach(async () => {
  requests.length = 0;
  server = createServer((req, res) => answer(res, req, requests.push(req)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  server.closeAllConnections();
  await once(server.close(), "close");
});

const stream = (res: ServerResponse, text = ""): void => {
  res.writeHead(200, { "content-type": "text/event-stream" }).write(text);
};

/** A running command, with everything that it has printed so far. */
class Command {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  #changed: () => void = () => {};

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    children.push(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#changed();
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#changed();
    });
  }

  /** Waits until it has printed this, on either stream. */
  async prints(text: string): Promise<void> {
    const printed = async (): Promise<void> => {
      while (!(this.stdout + this.stderr).includes(text)) {
        await new Promise<void>((resolve) => {
          this.#changed = resolve;
        });
      }
    };
    await within(deadlineMs, `the command prints ${text}; it printed ${this.stdout}${this.stderr}`, printed());
  }

  /** Waits for its end. @returns The exit code. */
  async end(): Promise<number | string> {
    const { child } = this;
    const open = child.exitCode === null && child.signalCode === null;
    if (open)
      await within(deadlineMs, `the command ends; it printed ${this.stdout}${this.stderr}`, once(child, "close"));
    return child.exitCode ?? (child.signalCode as string);
  }

  get lines(): { type: string; data: string; id?: string }[] {
    return this.stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }
}

const run = (...args: string[]): Command => new Command(process.execPath, [main, ...args]);

/** In a shell, where `$CLI` is the command. */
const shell = (script: string): Command =>
  new Command("bash", ["-c", script], { CLI: `${process.execPath} ${main}`, URL: url });

test("follows channels of a hub with headers, and reports on standard error", async () => {
  await using hub = createHub({ closeOnSignal: false, keepAlive: "20s" });
  answer = (res, req) => {
    const channels = new URL(req.url as string, url).searchParams.getAll("channel");
    return respond(hub, req, res, { channels });
  };
  const command = run("-c", "a", "-c", "b", "-H", "x-token: secret", "--count", "2", url);
  await command.prints("open");
  await hub.channel("a").dispatch("first", { n: 1 });
  await hub.channel("b").dispatch("second", "two");
  expect(await command.end()).toBe(0);
  expect(command.lines).toEqual([
    { type: "first", data: '{"n":1}', id: expect.any(String) },
    { type: "second", data: "two", id: expect.any(String) },
  ]);
  expect(command.stderr).toMatch(/^\* open\n\* the server sends a keep-alive every 20 s\n/);
  expect(command.stderr).toContain(`* to continue from here: --after ${command.lines[1]?.id}\n`);
  expect(requests[0]?.headers["x-token"]).toBe("secret");
});

test("reconnects, resumes, and says so; a gap has its place among the events", async () => {
  answer = (res, { headers }, n) => {
    if (n === 1) stream(res, "retry: 1\nid: 1\ndata: one\n\n:\n");
    else
      stream(
        res,
        `event: sse:gap\ndata: {"missed":12,"reason":"trimmed","exact":true}\n\ndata: two ${headers["last-event-id"]}\n\n`,
      );
    if (n === 1) res.end();
  };
  const command = run("--count", "2", "--type", "message", url);
  expect(await command.end()).toBe(0);
  expect(command.lines).toEqual([
    { type: "message", data: "one", id: "1" },
    { type: "sse:gap", data: '{"missed":12,"reason":"trimmed","exact":true}' },
    { type: "message", data: "two 1" },
  ]);
  expect(command.stderr).toMatch(
    /^\* open\n\* keep-alive received\n\* retrying in \d.*: the connection has ended\n\* open again\n\* gap of 12: trimmed\n/,
  );
});

test("--data sends a POST once; the stream that ends before --count exits with 4", async () => {
  let body = "";
  answer = async (res, req) => {
    for await (const chunk of req) body += chunk;
    stream(res, "data: a\n\ndata: b\n\n");
    res.end();
  };
  const once = run("--data", '{"question":"?"}', url);
  expect(await once.end()).toBe(0);
  expect(once.lines.map(({ data }) => data)).toEqual(["a", "b"]);
  expect(body).toBe('{"question":"?"}');
  expect(requests[0]).toMatchObject({ method: "POST", headers: { "content-type": "application/json" } });
  const more = run("--data", "x", "--count", "3", url);
  expect(await more.end()).toBe(4);
  expect(requests).toHaveLength(2);
});

test("--data @- reads standard input", async () => {
  let body = "";
  answer = async (res, req) => {
    for await (const chunk of req) body += chunk;
    stream(res);
    res.end();
  };
  const command = run("--data", "@-", url);
  command.child.stdin?.end("from a pipe");
  expect(await command.end()).toBe(0);
  expect(body).toBe("from a pipe");
});

describe("in a pipe", () => {
  test("the reader that leaves ends the command with 0, and nothing is printed about it", async () => {
    answer = (res) => {
      stream(res);
      const timer = setInterval(() => res.write("data: x\n\n"), 5);
      res.once("close", () => clearInterval(timer));
    };
    const command = shell("set -o pipefail; $CLI --quiet $URL | head -1; echo $?");
    expect(await command.end()).toBe(0);
    expect(command.stdout).toBe('{"type":"message","data":"x"}\n0\n');
    expect(command.stderr).toBe("");
  });

  test("--json fits jq", async () => {
    answer = (res) => stream(res, 'event: price\ndata: {"amount":5}\n\n');
    const command = shell("$CLI -q -n 1 --json $URL | grep -o amount");
    expect(await command.end()).toBe(0);
    expect(command.stdout).toBe("amount\n");
  });

  test("a reader that stops reading stops the server, and loses nothing", async () => {
    const count = 5_000;
    const event = `data: ${"x".repeat(8_000)}\n\n`;
    let sent = 0;
    answer = async (res) => {
      stream(res);
      for (; sent < count; sent++) if (!res.write(event)) await once(res, "drain");
      res.end();
    };
    const command = run("--quiet", "--no-retry", url);
    command.child.stdout?.pause();
    await settled(() => sent);
    // Sockets, pipes and the buffer of the loop hold the rest of 40 MB.
    expect(sent).toBeLessThan(count / 2);
    command.child.stdout?.resume();
    expect(await command.end()).toBe(0);
    expect(command.lines).toHaveLength(count);
  });

  test("help and version may be cut off", async () => {
    const command = shell("set -o pipefail; $CLI --help | head -1; echo $?; $CLI --version");
    expect(await command.end()).toBe(0);
    expect(command.stdout).toMatch(/^Usage: sourcecast \[options\] URL\n0\n\d+\.\d+\.\d+\S*\n$/);
  });
});

describe("exit codes", () => {
  test.each([
    [404, "The server answered 404, so there is no such stream"],
    [403, "The server answered 403, so this client may not read the stream"],
  ])("1 for status %i", async (status, message) => {
    answer = (res) => res.writeHead(status).end("no");
    const command = run(url);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain(`sourcecast: ${message}`);
  });

  test("1 for HTML, and the error quotes it", async () => {
    answer = (res) => res.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>");
    const command = run("--quiet", url);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toMatch(/^sourcecast: The response has "text\/html" .*<h1>Hello<\/h1>.*\n$/);
  });

  test("1 with --no-retry and no server, with the reason of the system", async () => {
    answer = () => {};
    const { port } = server.address() as AddressInfo;
    server.close();
    const command = run("--no-retry", `127.0.0.1:${port}`);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain(`sourcecast: connect ECONNREFUSED 127.0.0.1:${port}\n`);
    server = createServer().listen(0);
    await once(server, "listening");
  });

  test("1 for an output that fails", async () => {
    answer = (res) => stream(res, "data: x\n\n");
    const command = shell("$CLI $URL > /dev/full");
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain("sourcecast: The output failed: ENOSPC");
  });

  test("2 for wrong arguments, and nothing is sent", async () => {
    const command = run("--coun", "1", url);
    expect(await command.end()).toBe(2);
    expect(command.stderr).toBe(
      "sourcecast: The option --coun is unknown; did you mean --count?\nTry sourcecast --help\n",
    );
    expect(requests).toHaveLength(0);
  });

  test("3 when --timeout passes", async () => {
    answer = (res) => stream(res);
    const command = run("--timeout", "50ms", url);
    expect(await command.end()).toBe(3);
  });

  test("not 3 for a --timeout that is longer than a timer of the platform", async () => {
    answer = (res) => setTimeout(() => stream(res, "data: x\n\n"), 50);
    const command = run("--timeout", "60d", "--count", "1", url);
    expect(await command.end()).toBe(0);
    expect(command.stderr).not.toContain("TimeoutOverflowWarning");
  });

  test("0 when the server ends the stream", async () => {
    answer = (res) => res.writeHead(204).end();
    const command = run(url);
    expect(await command.end()).toBe(0);
    expect(command.stderr).toBe("* the server has ended the stream\n");
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s is %i, and closes the connection", async (signal, code) => {
    let gone: Promise<unknown> | undefined;
    answer = (res) => {
      gone = once(res, "close");
      stream(res, "id: 5\ndata: x\n\n");
    };
    const command = run(url);
    await command.prints('"x"');
    command.child.kill(signal);
    expect(await command.end()).toBe(code);
    expect(command.stderr).toContain("--after 5\n");
    await gone;
  });
});

test("--resume keeps the position of the printed events, not of those after --count", async () => {
  const file = temporaryFile("position");
  const all = Array.from({ length: 6 }, (_, n) => `id: ${n}\ndata: ${n}\n\n`);
  answer = (res, { headers }) => stream(res, all.slice(Number(headers["last-event-id"] ?? -1) + 1).join(""));
  const printed: string[] = [];
  for (let n = 0; n < 3; n++) {
    const command = run("--resume", file.path, "-n", "2", "-q", url);
    expect(await command.end()).toBe(0);
    printed.push(...command.lines.map(({ data }) => data));
  }
  expect(printed).toEqual(["0", "1", "2", "3", "4", "5"]);
  expect(readFileSync(file.path, "utf8")).toBe("5\n");
  writeFileSync(file.path, "3\n");
  const again = run("--resume", file.path, "-n", "1", url);
  expect(await again.end()).toBe(0);
  expect(again.lines).toMatchObject([{ data: "4" }]);
  file.remove();
  const nowhere = run("--resume", join(file.path, "position"), "-n", "1", url);
  expect(await nowhere.end()).toBe(1);
  expect(nowhere.stderr).toContain("sourcecast: ENOENT");
});

test("--verbose reports headers and comments, --after sends the position, --no-json prints text", async () => {
  answer = (res, { headers }) => stream(res, `: hello\ndata: after ${headers["last-event-id"]}\n\n`);
  const command = run("--verbose", "--no-json", "--after", "41", "-n", "1", url);
  expect(await command.end()).toBe(0);
  expect(command.stderr).toContain("* 200 OK\n* connection: keep-alive\n* content-type: text/event-stream\n");
  expect(command.stderr).toContain("* comment: hello\n");
  expect(command.stdout).toMatch(/^\d\d:\d\d:\d\d message after 41\n$/);
});

/** Waits until a number has begun to grow, and has stopped. */
async function settled(value: () => number): Promise<void> {
  let before = 0;
  const ask = async (): Promise<boolean> => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const isSettled = before > 0 && before === value();
    before = value();
    return isSettled;
  };
  await eventually("the server has stopped", ask, Boolean, deadlineMs);
}
