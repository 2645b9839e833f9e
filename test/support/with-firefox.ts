/** Global setup: FIREFOX_PATH names a Firefox that starts. */
import { ensureFirefox } from "../../scripts/lib/firefox.mjs";

export async function setup(): Promise<void> {
  if (!(await ensureFirefox())) throw new Error("No Firefox to test with: what to do is printed above");
}
