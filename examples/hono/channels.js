import { Hono } from "hono";
import { channelsOf, createHub } from "sourcecast";

const hub = createHub();

// All channels of a page on one connection: http://localhost:3000/channels?channel=news&channel=orders/7&label=1
export const channels = new Hono().on(["GET", "POST"], "/", async (c) => {
  const asked = await channelsOf(c.req.raw, { allow: ["news", "orders/*"] });
  return hub.response(c.req.raw, asked);
});
