// npm test: checks, builds and tests everything, also from a fresh clone. With file names (npm test -- test/unit/encode.test.ts)
// it runs only those.
import "./lib/bootstrap.mjs";
import { ensureBrowser } from "./lib/browser.mjs";
import { build } from "./lib/build.mjs";
import { check } from "./lib/check.mjs";
import { ensureFirefox } from "./lib/firefox.mjs";
import { ensureProxies } from "./lib/proxies.mjs";
import { ensureStores } from "./lib/stores.mjs";
import { vitest } from "./lib/vitest.mjs";

const args = process.argv.slice(2);
// Options with a value (-t name, --project unit) select a part of the tests, too.
if (args.length === 0) {
  // First the steps that fail if this machine lacks something, then the fast ones, then the slow ones.
  for (const ensure of [ensureBrowser, ensureFirefox, ensureProxies, ensureStores])
    if (!(await ensure())) process.exit(1);
  if (!(await check()) || !(await build())) process.exit(1);
}
process.exitCode = await vitest(args);
