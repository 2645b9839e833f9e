import { type Browser, chromium } from "playwright-core";

/** Chromium, headless and quiet on the network. Close it: `await using browser = await launchChromium()`. */
export function launchChromium({ backForwardCache = false } = {}): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH;
  if (!executablePath) throw new Error("CHROMIUM_PATH is not set: run browser tests in the project `browser`");
  // Playwright switches it off.
  const ignoreDefaultArgs = backForwardCache ? ["--disable-back-forward-cache"] : [];
  return chromium.launch({ executablePath, args: flags, ignoreDefaultArgs });
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
