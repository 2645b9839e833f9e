/** Global setup: CHROMIUM_PATH names a browser that starts. */
import { ensureBrowser } from "../../scripts/lib/browser.mjs";

export async function setup(): Promise<void> {
  if (!(await ensureBrowser())) throw new Error("No browser to test with: what to do is printed above");
}
