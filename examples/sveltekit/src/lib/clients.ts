import { EventSourceSet } from "sourcecast";

// A hot reload makes this module anew; those who are connected stay where they are.
const kept = globalThis as { clients?: EventSourceSet };
kept.clients ??= new EventSourceSet();

export const clients: EventSourceSet = kept.clients;

/** Sends a text to everyone. One that has closed is nobody else's concern. */
export function broadcast(text: string): number {
  return clients.dispatch("message", { text });
}
