import { EventSourceSet } from "sourcecast";

// A hot reload evaluates this module again; the clients that are connected stay in the same set.
const kept = globalThis as { clients?: EventSourceSet };
kept.clients ??= new EventSourceSet();

export const clients: EventSourceSet = kept.clients;

/** Sends a message to every client. A stream that has closed does not affect the others. */
export function broadcast(text: string): number {
  return clients.dispatch("message", { text });
}
