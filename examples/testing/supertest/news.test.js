import request from "supertest";
import { afterAll, expect, test } from "vitest";
import { createApp } from "../app.js";

const { app, hub } = createApp();
afterAll(() => hub.close());

test("a client receives what was published", async () => {
  await request(app).post("/news").send({ title: "Rain tomorrow" }).expect(201);
  // Ends the stream too: supertest waits for the end of a response.
  await hub.channel("news").end();

  const { text } = await request(app).get("/news").expect(200).expect("content-type", "text/event-stream");

  expect(text).toContain('data: {"title":"Rain tomorrow"}');
});
