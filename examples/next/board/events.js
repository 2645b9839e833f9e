// The contract of the board: the server dispatches under it, and the page gets its types and checks from it.
import { defineEvents } from "sourcecast/contract";
import { z } from "zod";

export const events = defineEvents({
  /** A line of the board as it is now. */
  train: z.object({
    line: z.number(),
    name: z.string(),
    to: z.string(),
    departs: z.number(),
    platform: z.number(),
    delay: z.number(),
    state: z.enum(["on time", "delayed", "boarding", "cancelled"]),
    /** When it changed. */
    at: z.number(),
  }),
  announcement: z.object({ text: z.string().min(1).max(200), at: z.number() }),
});
