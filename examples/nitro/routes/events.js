import { defineHandler } from "nitro/h3";
import { EventSource, EventSourceSet } from "sourcecast";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();

export default defineHandler((event) => {
  const source = new EventSource(event.req);
  clients.add(source);
  return source.response();
});
