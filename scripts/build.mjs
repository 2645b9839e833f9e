import "./lib/bootstrap.mjs";

const { build } = await import("./lib/build.mjs");
process.exitCode = (await build()) ? 0 : 1;
