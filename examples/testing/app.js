import express from "express";
import { createHub } from "sourcecast";
import { respond } from "sourcecast/node";

/** A new application for each test file: events of one must not reach another. */
export function createApp() {
  const hub = createHub();
  const app = express();
  app.use(express.json());

  app.get("/news", (req, res) => respond(hub, req, res, { channels: ["news"], rewind: 10 }));

  app.post("/news", async (req, res) => {
    res.status(201).json({ id: await hub.channel("news").dispatch("headline", req.body) });
  });

  return { app, hub };
}
