import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

const setupFiles = ["test/support/guards.ts"];

/** One project for each folder below test; most may be empty in a young checkout. */
function project(name: string, options: { timeout?: number; serial?: boolean; globalSetup?: string[] } = {}) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      exclude: [...configDefaults.exclude, "**/fixtures/**"],
      testTimeout: options.timeout ?? 30_000,
      hookTimeout: options.timeout ?? 30_000,
      fileParallelism: !options.serial,
      globalSetup: options.globalSetup ?? [],
    },
  };
}

export default defineConfig({
  test: {
    // A process for each file: signals, listeners and timers of one file are not seen by another.
    pool: "forks",
    setupFiles,
    passWithNoTests: true,
    // Two at least: most tests wait for sockets, not for the processor.
    maxWorkers: Math.max(2, availableParallelism()),
    teardownTimeout: 5_000,
    projects: [
      project("unit", { timeout: 5_000 }),
      project("package", { timeout: 120_000, globalSetup: ["test/support/packed.ts"] }),
      project("contracts"),
      project("faults", { timeout: 120_000, globalSetup: ["test/support/with-browser.ts"] }),
      project("stores", { timeout: 60_000, globalSetup: ["test/support/with-stores.ts"] }),
      project("docs", {
        timeout: 120_000,
        globalSetup: ["test/support/packed.ts", "test/support/with-browser.ts"],
      }),
      project("frameworks", {
        timeout: 300_000,
        globalSetup: ["test/support/packed.ts", "test/support/with-browser.ts"],
      }),
      project("clients", { timeout: 240_000, globalSetup: ["test/support/packed.ts"] }),
      project("proxies", {
        timeout: 60_000,
        globalSetup: [
          "test/support/packed.ts",
          "test/support/with-browser.ts",
          "test/support/with-proxies.ts",
          "test/support/with-stores.ts",
        ],
      }),
      project("runtimes", {
        timeout: 600_000,
        globalSetup: ["test/support/packed.ts", "test/support/with-browser.ts"],
      }),
      project("browser", {
        timeout: 60_000,
        serial: true,
        globalSetup: ["test/support/built.ts", "test/support/with-browser.ts", "test/support/with-firefox.ts"],
      }),
    ],
  },
});
