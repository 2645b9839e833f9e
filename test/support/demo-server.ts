/** The server of the demo for each test, on a log of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { type Demo, type DemoOptions, startDemo } from "./demo.ts";

export interface DemoServer {
  readonly demo: Demo;
  /** Output of pages that is not expected; the test fails on it. */
  readonly complaints: string[];
  /** Kills it without a warning. */
  kill(): Promise<void>;
  /** Starts it again, at the same address and on the same log. */
  start(options?: Partial<DemoOptions>): Promise<void>;
}

/** A test fails on what a page complains of, and on what the server prints. */
export function useDemoServer(options: Partial<DemoOptions> = {}): DemoServer {
  let folder: string;
  let demo: Demo;
  let complaints: string[];

  beforeEach(async () => {
    complaints = [];
    folder = await mkdtemp(join(tmpdir(), "sourcecast-demo-"));
    demo = await startDemo({ database: join(folder, "demo.db"), ...options });
  });
  // Runs after the hooks of the tests, which close the windows.
  afterEach(async () => {
    await demo.kill();
    await rm(folder, { recursive: true });
    expect([...complaints, demo.log().replace(/^The demo is at .*\n/, "")]).toEqual([""]);
  });

  return {
    get demo() {
      return demo;
    },
    get complaints() {
      return complaints;
    },
    kill: () => demo.kill(),
    async start(changes = {}) {
      demo = await startDemo({ database: join(folder, "demo.db"), port: demo.port, ...options, ...changes });
    },
  };
}
