// Control for web responses: no library, a lean stream for each connection.
import { header } from "./http.mjs";

/** @type {Set<ReadableStreamDefaultController<Uint8Array>>} */
const controllers = new Set();
const encoder = new TextEncoder();

export function attach() {
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  let controller;
  const body = new ReadableStream({
    start(given) {
      controller = given;
      controllers.add(controller);
      controller.enqueue(encoder.encode(": open\n\n"));
    },
    cancel: () => void controllers.delete(controller),
  });
  return new Response(body, { headers: header });
}

/** @param {string} data */
export function publish(data) {
  const bytes = encoder.encode(`event: tick\ndata: ${data}\n\n`);
  for (const controller of controllers) controller.enqueue(bytes);
}
