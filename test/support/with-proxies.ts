/** Global setup: the proxies are there, where they can be installed. Tests of one that is not there say what to do. */
import { ensureProxies } from "../../scripts/lib/proxies.mjs";

export async function setup(): Promise<void> {
  await ensureProxies();
}
