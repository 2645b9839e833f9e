// Runs one part of the tests: node scripts/vitest.mjs --project unit [files and options of Vitest]
import "./lib/bootstrap.mjs";
import { vitest } from "./lib/vitest.mjs";

process.exitCode = await vitest(process.argv.slice(2));
