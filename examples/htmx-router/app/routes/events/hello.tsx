import type { RouteContext } from "htmx-router/router.js";
import { EventSource } from "sourcecast";

/** Markup for one client. */
export function loader({ request, render }: RouteContext) {
  const source = new EventSource<true>(request, render);
  let count = 0;

  const timer = setInterval(() => {
    count++;
    source.dispatch(
      "message",
      <b>
        hello everyone{"\n"}
        <pre>{`line 1\nline ${count}`}</pre>
      </b>,
    );
    if (source.readyState === 2) clearInterval(timer);
  }, 200);

  return source.response();
}
