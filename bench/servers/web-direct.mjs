// Control for Bun: its direct stream, which has no queue, written to and flushed by hand.
import { serve } from "./harness.mjs";
import { header } from "./http.mjs";
import { listenWeb } from "./web.mjs";

/** @typedef {{ write(bytes: Uint8Array): void, flush(): void }} DirectController */

/** @type {Set<DirectController>} */
const controllers = new Set();
const encoder = new TextEncoder();

function attach(/** @type {Request} */ request) {
  const source = {
    type: "direct",
    async pull(/** @type {DirectController} */ controller) {
      controllers.add(controller);
      controller.write(encoder.encode(": open\n\n"));
      controller.flush();
      await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      controllers.delete(controller);
    },
  };
  return new Response(new ReadableStream(/** @type {any} */ (source)), { headers: header });
}

function publish(/** @type {string} */ data) {
  const bytes = encoder.encode(`event: tick\ndata: ${data}\n\n`);
  for (const controller of controllers) {
    controller.write(bytes);
    controller.flush();
  }
}

await serve({ listen: () => listenWeb(attach, publish), publish });
