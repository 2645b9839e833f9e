/** The streams that a proxy passes on: the suite of test/contracts/serving-suite.ts in front of node:http. */
import { readFileSync } from "node:fs";
import { Http2Client } from "../../support/client.ts";
import { startFixture } from "../../support/fixture.ts";
import { ProxiedServer } from "../../support/proxies/proxied-server.ts";
import { certificate, type ProxyKind, ProxyProcess } from "../../support/proxies/proxy.ts";
import { type ServeOptions, serveSuite } from "../serving-suite.ts";

/**
 * With its defaults over HTTP/1.1, and with what users copy over TLS and HTTP/2. `options` and the environment of the server
 * are for the defaults.
 */
export function serveThrough(kind: ProxyKind, options: ServeOptions = {}, env: NodeJS.ProcessEnv = {}): void {
  serveSuite(`${kind.name} with its defaults`, () => startBehind(kind, ProxyProcess.bare, env), {
    recorded: false,
    ...options,
  });
  const ca = readFileSync(certificate);
  serveSuite(`${kind.name} with docs/deploy/${kind.file}`, () => startBehind(kind, ProxyProcess.copied), {
    recorded: false,
    connect: (port, request) => new Http2Client(port, request, ca),
  });
}

async function startBehind(
  kind: ProxyKind,
  startProxy: (kind: ProxyKind, servers: readonly number[]) => Promise<ProxyProcess>,
  env: NodeJS.ProcessEnv = {},
): Promise<ProxiedServer> {
  const server = await startFixture("node-http", { env, copy: kind.name });
  try {
    return new ProxiedServer(server, await startProxy(kind, [server.port]));
  } catch (error) {
    await server.stop();
    throw error;
  }
}
