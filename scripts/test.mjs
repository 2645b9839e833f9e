// npm test: everything, from a fresh clone too. With file names (npm test -- test/unit/encode.test.ts) only those.
import "./lib/bootstrap.mjs";
import { ensureBrowser } from "./lib/browser.mjs";
import { build } from "./lib/build.mjs";
import { check } from "./lib/check.mjs";
import { ensureFirefox } from "./lib/firefox.mjs";
import { ensureProxies } from "./lib/proxies.mjs";
import { vitest } from "./lib/vitest.mjs";

const args = process.argv.slice(2);
// Options may have a value (-t name, --project unit): then a part is wanted too.
if (args.length === 0) {
  // First what can fail for want of something on this machine, then the fast, then the slow.
  for (const ensure of [ensureBrowser, ensureFirefox, ensureProxies]) if (!(await ensure())) process.exit(1);
  if (!(await check()) || !(await build())) process.exit(1);
}
process.exitCode = await vitest(args);
