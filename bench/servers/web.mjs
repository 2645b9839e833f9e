// A server of Bun or of Deno, with web requests and responses, which publishes what is posted to it.

/**
 * @param {(request: Request) => Response} attach
 * @param {(data: string) => unknown} publish
 * @returns {Promise<number>}
 */
export async function listenWeb(attach, publish) {
  const fetch = async (/** @type {Request} */ request) => {
    if (request.method === "GET") return attach(request);
    await publish(await request.text());
    return new Response(null, { status: 204 });
  };
  const { Bun, Deno } = /** @type {any} */ (globalThis);
  // By default, Bun closes a connection that is idle for ten seconds.
  if (Bun !== undefined) return Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch }).port;
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, fetch).addr.port;
}
