// @fastify/sse: a reply for each connection and a send in a loop, because its documentation shows no groups.
import fastifySse from "@fastify/sse";
import Fastify from "fastify";
import { serve } from "./harness.mjs";

const fastify = Fastify({ keepAliveTimeout: 600_000 });
await fastify.register(/** @type {any} */ (fastifySse));
/** @type {Set<any>} */
const replies = new Set();

fastify.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));

fastify.get("/events", /** @type {any} */ ({ sse: true }), async (_request, reply) => {
  const sse = /** @type {any} */ (reply).sse;
  sse.keepAlive();
  replies.add(sse);
  sse.onClose(() => replies.delete(sse));
  await sse.send({ data: "open" });
});

fastify.post("/publish", async (request, reply) => {
  await publish(/** @type {string} */ (request.body));
  return reply.code(204).send();
});

function publish(/** @type {string} */ data) {
  const message = { event: "tick", data };
  return Promise.all(Array.from(replies, (sse) => sse.send(message)));
}

await serve({
  async listen() {
    await fastify.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
    return /** @type {import("node:net").AddressInfo} */ (fastify.server.address()).port;
  },
  publish,
});
