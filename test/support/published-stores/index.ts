/**
 * Our own tests for the behaviour that published packages test in their stores: `resumable-stream`, `@tanstack/ai` and
 * `@modelcontextprotocol/sdk`. Run on each log that can be a store.
 */
import { describe } from "vitest";
import type { WithStorage } from "../stores/hub-suite.ts";
import { testEventStores } from "./mcp.ts";
import { testResumableStreams } from "./resumable-stream.ts";
import { testStreamDurability } from "./tanstack-ai.ts";

/** Defines the tests of all three packages on one log. */
export function testPublishedStores(name: string, withStorage: WithStorage): void {
  describe(`the published store tests on ${name}`, () => {
    describe("resumable-stream", () => testResumableStreams(withStorage));
    describe("@tanstack/ai", () => testStreamDurability(withStorage));
    describe("@modelcontextprotocol/sdk", () => testEventStores(withStorage));
  });
}
