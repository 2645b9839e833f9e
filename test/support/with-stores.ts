/** Global setup: the servers of stores are there, where they can be installed. Tests of one that is not there say what to do. */
import { ensureStores } from "../../scripts/lib/stores.mjs";

export async function setup(): Promise<void> {
  await ensureStores();
}
