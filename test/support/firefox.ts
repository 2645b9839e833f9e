import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Browser } from "puppeteer-core";

/**
 * Firefox, headless and quiet on the network. Close it: `await using browser = await launchFirefox()`.
 *
 * Puppeteer drives it: Playwright has a Firefox of its own, and takes no ESR of Mozilla's.
 */
export async function launchFirefox(): Promise<Browser> {
  const executablePath = process.env.FIREFOX_PATH;
  if (!executablePath) throw new Error("FIREFOX_PATH is not set: run tests in Firefox in the project `browser`");
  // Its own home, too: as root, Firefox rejects a home that belongs to another user, and a CI job may have one.
  const home = mkdtempSync(join(tmpdir(), "sourcecast-firefox-"));
  const remove = (): void => rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  try {
    const env = { ...process.env, HOME: home };
    const options = { browser: "firefox", executablePath, env, userDataDir: join(home, "profile") } as const;
    const browser = await puppeteer.launch({ ...options, acceptInsecureCerts: true, extraPrefsFirefox: preferences });
    browser.process()?.once("exit", remove);
    return browser;
  } catch (error) {
    remove();
    throw error;
  }
}

/** Requests to other hosts go to a proxy that does not exist: no telemetry, updates or lists. */
const nobody = "127.0.0.1";
const preferences = {
  "network.proxy.type": 1,
  "network.proxy.http": nobody,
  "network.proxy.http_port": 9,
  "network.proxy.ssl": nobody,
  "network.proxy.ssl_port": 9,
  "network.proxy.failover_direct": false,
  "network.proxy.allow_bypass": false,
  // No DNS over HTTPS.
  "network.trr.mode": 5,
};
