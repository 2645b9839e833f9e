import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { createHub } from "sourcecast";
import { sqliteLog } from "sourcecast/sqlite";
import page from "./page";

/** A room: whoever is in it is connected to the one object of its name, wherever they are. */
export class Room extends DurableObject {
  readonly #hub = createHub({ log: sqliteLog({ database: this.ctx.storage, maxAge: "7d" }) });

  fetch(request: Request): Promise<Response> {
    return this.#hub.response(request, { channels: ["talk"], rewind: 10 });
  }

  say(text: string): Promise<string> {
    return this.#hub.channel("talk").dispatch("said", { text });
  }
}

const app = new Hono<{ Bindings: { ROOMS: DurableObjectNamespace<Room> } }>();

app.get("/", (c) => c.html(page));

app.get("/rooms/:name", (c) => c.env.ROOMS.getByName(c.req.param("name")).fetch(c.req.raw));

app.post("/rooms/:name", async (c) => {
  const id = await c.env.ROOMS.getByName(c.req.param("name")).say(await c.req.text());
  return c.json({ id }, 201);
});

export default app;
