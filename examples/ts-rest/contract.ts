// Shared by server and client.
import { initContract } from "@ts-rest/core";
import { defineEvents } from "sourcecast/contract";
import { eventRoute } from "sourcecast/ts-rest";
import { z } from "zod";

const c = initContract();

const message = z.object({ id: z.string(), message: z.string() });
const error = z.object({ error: z.string() });

export const events = defineEvents({ message });

export const contract = c.router({
  getEvents: eventRoute({
    path: "/events",
    query: z.object({ room: z.enum(["kitchen", "garden"]).optional() }),
    events,
    responses: { 401: error },
    summary: "Create EventSource connection",
  }),
  postMessage: {
    method: "POST",
    path: "/messages",
    query: z.object({ to: z.string().optional() }),
    body: message,
    responses: { 201: z.object({ id: z.string().nullable(), connections: z.number() }), 401: error },
    summary: "Send a message to everyone, or to all tabs of one user",
  },
});
