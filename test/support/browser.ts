import { type Browser, chromium } from "playwright-core";

/** Chromium, headless and quiet on the network. Close it: `await using browser = await launchChromium()`. */
export function launchChromium(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH;
  if (!executablePath) throw new Error("CHROMIUM_PATH is not set: run browser tests in the project `browser`");
  return chromium.launch({ executablePath, args: flags });
}

const flags = [
  // Root in a container has no sandbox.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
