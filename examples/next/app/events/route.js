import { EventSource, EventSourceSet } from "sourcecast";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();

export function GET(request) {
  const source = new EventSource(request);
  clients.add(source);
  return source.response();
}
