// Ends the streams of an Oak application when it closes.
import type { EventSource } from "../../source/source.ts";
import type { OakApplication } from "./context.ts";

/** The open streams of each application. Node warns of the eleventh listener on an application, so they share one. */
const openSources = new WeakMap<OakApplication, Set<EventSource>>();

export function closeWithApplication(app: OakApplication, source: EventSource): void {
  if (source.closeReason !== null) return;
  const sources = openSources.get(app) ?? listen(app);
  sources.add(source);
  source.addEventListener("close", () => sources.delete(source));
}

function listen(app: OakApplication): Set<EventSource> {
  const sources = new Set<EventSource>();
  openSources.set(app, sources);
  app.addEventListener("close", () => {
    for (const source of sources) void source.close("shutdown");
  });
  return sources;
}
