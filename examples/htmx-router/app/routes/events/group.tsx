import type { RouteContext } from "htmx-router/router.js";
import { EventSource, EventSourceSet } from "sourcecast";

const group = new EventSourceSet();
setInterval(() => group.dispatch("message", `hello all ${group.size}`), 200).unref();

/** The same events for every client that is connected. */
export function loader({ request }: RouteContext) {
  const source = new EventSource(request);
  group.add(source);

  return source.response();
}
