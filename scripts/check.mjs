// Types of every project, formatting and lint, import boundaries. --fix: format and apply the safe fixes first.
import "./lib/bootstrap.mjs";
import { check } from "./lib/check.mjs";

process.exitCode = (await check({ fix: process.argv.includes("--fix") })) ? 0 : 1;
