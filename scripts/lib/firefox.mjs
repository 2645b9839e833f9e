// Finds or installs a Firefox to test with: one on the machine, else Debian's package. Tests drive it by WebDriver BiDi, which
// every Firefox has built in.
import { onPath, starts } from "./browser.mjs";
import { installFromDebian } from "./debian.mjs";

/** @returns {Promise<string | undefined>} its path, also in FIREFOX_PATH from then on; undefined after printing what to do */
export async function ensureFirefox() {
  const path = findFirefox() ?? (await fromDebian());
  if (path) process.env.FIREFOX_PATH = path;
  else console.error(instruction());
  return path;
}

/** @returns {string | undefined} a Firefox that is on this machine and starts */
export function findFirefox() {
  const given = process.env.FIREFOX_PATH;
  if (given) return starts(given) ? given : undefined;
  return candidates().find(starts);
}

function candidates() {
  return [
    ...onPath("firefox", "firefox-esr"),
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "C:/Program Files/Mozilla Firefox/firefox.exe",
  ];
}

async function fromDebian() {
  if (process.env.FIREFOX_PATH) return undefined;
  await installFromDebian("The tests run in Firefox too", "firefox-esr");
  return findFirefox();
}

function instruction() {
  const given = process.env.FIREFOX_PATH;
  return [
    "",
    given
      ? `FIREFOX_PATH=${given} does not start.`
      : "No Firefox: the tests drive real pages in it and do not skip them.",
    "Do one of these, then run the same command again:",
    "  - install Firefox (Debian: sudo apt-get install firefox-esr)",
    "  - set FIREFOX_PATH to the executable of one",
    "Without a browser, `npm run test:unit` still works.",
  ].join("\n");
}
