import type { RouteContext } from "htmx-router/router.js";
import { EventSource } from "sourcecast";
import { lock } from "../../lock.tsx";

export function loader({ request, render }: RouteContext) {
  const source = new EventSource<true>(request, render);
  lock.add(source);

  return source.response();
}
