/** Middleware of web frameworks that reads a body to its end, as docs/errors.md says of Hono's `etag()`. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { EventSource } from "../../src/index.ts";
import { installPackages } from "../support/example.ts";

test("etag() of Hono answers only when the stream has ended", async () => {
  const hono = join(await installPackages({ hono: "4.13.19" }), "hono/dist");
  const load = (file: string) => import(pathToFileURL(join(hono, file)).href);
  const { Hono } = await load("index.js");
  const { etag } = await load("middleware/etag/index.js");
  const sources: EventSource[] = [];
  const route = (c: { req: { raw: Request } }) => {
    const source = new EventSource(c.req.raw);
    sources.push(source);
    return source.response();
  };
  const app = new Hono().use("/etag", etag()).get("/etag", route).get("/plain", route);

  const plain: Response = await app.request("/plain");
  expect(plain.headers.get("content-type")).toBe("text/event-stream");

  let isAnswered = false;
  const answer: Promise<Response> = app.request("/etag").then((response: Response) => {
    isAnswered = true;
    return response;
  });
  while (sources.length < 2) await new Promise((resolve) => setImmediate(resolve));
  sources[1]?.dispatch("t", 1);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(isAnswered).toBe(false);
  for (const source of sources) await source.close();
  expect((await answer).headers.has("etag")).toBe(true);
}, 120_000);
