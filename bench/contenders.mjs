/** Who is measured, by the file in servers/, and how it is called in tables and plots. The first is the control. */
export const contenders = /** @type {const} */ ({
  "control-write": "by hand: response.write()",
  "control-chunk": "by hand: prebuilt chunk to the socket",
  set: "sourcecast: EventSourceSet",
  "hub-memory": "sourcecast: hub on memory",
  "hub-sqlite": "sourcecast: hub on SQLite",
  "hono-set": "sourcecast: set on Hono",
  "hono-by-hand": "by hand on Hono: enqueue()",
  "better-sse": "better-sse",
  "fastify-sse": "@fastify/sse",
  h3: "h3",
  "hono-stream-sse": "Hono: streamSSE()",
});
