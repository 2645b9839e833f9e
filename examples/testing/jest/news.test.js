import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createApp } from "../app.js";
import { readUntil } from "../read-until.js";

const { app, hub } = createApp();
let server;
let url;

beforeAll(async () => {
  server = app.listen(0);
  await once(server, "listening");
  url = `http://localhost:${server.address().port}/news`;
});

afterAll(async () => {
  await hub.close();
  server.close();
});

test("a client receives what is published", async () => {
  const response = await fetch(url);
  expect(response.headers.get("content-type")).toBe("text/event-stream");

  await hub.channel("news").dispatch("headline", { title: "Rain tomorrow" });

  expect(await readUntil(response, "headline")).toContain('data: {"title":"Rain tomorrow"}');
});

test("a client that was away receives what it missed", async () => {
  const first = await hub.channel("news").dispatch("headline", { title: "Sun today" });
  await hub.channel("news").dispatch("headline", { title: "Snow on Monday" });

  const response = await fetch(url, { headers: { "last-event-id": first } });

  const text = await readUntil(response, "Snow on Monday");
  expect(text).not.toContain("Sun today");
});
