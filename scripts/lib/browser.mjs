// Finds or installs a Chromium to test with: one on the machine, else Playwright's download, else Debian's package.
// A candidate counts only if it starts: a download without its system libraries does not.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { installFromDebian } from "./debian.mjs";
import { packageFile } from "./paths.mjs";
import { run } from "./run.mjs";

/** @returns {Promise<string | undefined>} its path, also in CHROMIUM_PATH from then on; undefined after printing what to do */
export async function ensureBrowser() {
  const path = findBrowser() ?? (await downloaded()) ?? (await fromDebian());
  if (path) process.env.CHROMIUM_PATH = path;
  else console.error(instruction());
  return path;
}

/** @returns {string | undefined} a Chromium that is on this machine and starts */
export function findBrowser() {
  const given = process.env.CHROMIUM_PATH;
  if (given) return starts(given) ? given : undefined;
  return candidates().find(starts);
}

function candidates() {
  return [
    ...onPath("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "microsoft-edge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
    ...ofPlaywright(),
  ];
}

/** The paths where programs of these names may be. @param {string[]} names */
export function onPath(...names) {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return folders.flatMap((folder) =>
    names.map((name) => join(folder, process.platform === "win32" ? `${name}.exe` : name)),
  );
}

/** @param {string} file */
export function starts(file) {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    return false;
  }
  // On Windows --version opens a window instead.
  return (
    process.platform === "win32" || spawnSync(file, ["--version"], { stdio: "ignore", timeout: 20_000 }).status === 0
  );
}

async function downloaded() {
  if (process.env.CHROMIUM_PATH) return undefined;
  console.log("No Chromium on this machine: trying Playwright's download ...");
  // Without output: its failure is common, is handled below, and would look like ours.
  const args = [packageFile("playwright-core", "cli.js"), "install", "--no-shell", "chromium"];
  const code = await run(process.execPath, args, { stdio: "ignore" });
  return code === 0 ? ofPlaywright().find(starts) : undefined;
}

async function fromDebian() {
  if (process.env.CHROMIUM_PATH) return undefined;
  await installFromDebian("Playwright's download is not usable here", "chromium");
  return findBrowser();
}

/** The path of the Chromium that this version of Playwright downloads, whether it exists or not. */
function ofPlaywright() {
  // Imported late: this file is loaded before anything is installed.
  const { chromium } = createRequire(import.meta.url)("playwright-core");
  return [chromium.executablePath()];
}

function instruction() {
  const given = process.env.CHROMIUM_PATH;
  return [
    "",
    given ? `CHROMIUM_PATH=${given} does not start.` : "No browser: the tests drive real pages and do not skip them.",
    "Do one of these, then run the same command again:",
    "  - install Chromium or Google Chrome (Debian, Ubuntu: sudo apt-get install chromium)",
    "  - set CHROMIUM_PATH to the executable of one",
    "  - let Playwright fetch one: npx playwright-core install --with-deps chromium",
    "Without a browser, `npm run test:unit` still works.",
  ].join("\n");
}
