/**
 * Runs one block in this process: node block-process.ts file. A handler of the web that the block exports is called, as
 * its framework would call it, and a server that it starts listens on a free port, which is told to the parent.
 */
import { Server } from "node:net";
import { pathToFileURL } from "node:url";

const listen = Server.prototype.listen;

Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  const callback = args.find((argument) => typeof argument === "function") as (() => void) | undefined;
  return listen.call(this, { port: 0, host: "127.0.0.1" }, () => {
    const address = this.address();
    if (typeof address === "object") process.send?.(address?.port);
    callback?.();
  });
};

// The channel to the parent is for that alone: it must not keep a block alive that is done.
process.channel?.unref();

const block = (await import(pathToFileURL(process.argv[2] ?? "").href)) as { GET?: unknown };
if (typeof block.GET === "function") await get(block.GET as Handler);

type Handler = (request: Request & { request: Request }) => Response | Promise<Response>;

async function get(handler: Handler): Promise<void> {
  const leaving = new AbortController();
  const request = new Request("http://localhost/", { signal: leaving.signal });
  // Some frameworks pass the request, others an object that has it.
  const response = await handler(Object.assign(request, { request }));
  const type = response.headers.get("content-type");
  if (response.status !== 200 || type !== "text/event-stream")
    throw new Error(`GET answered ${response.status}, ${type}`);
  const reader = response.body?.getReader();
  const first = await reader?.read();
  if (first?.done !== false) throw new Error("The body of GET ended before its first byte");
  await reader?.cancel();
  leaving.abort();
}
