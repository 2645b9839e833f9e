import { expect, test, vi } from "vitest";
import { createHub } from "../../../src/index.ts";
import { isImmediate, locateNow } from "../../../src/log/immediate.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { request } from "../../support/web.ts";

const question = { cursor: null, selection: { channels: ["news"], prefixes: [] } };

test("a memory log answers in the tick of the question, as its promise resolves", async () => {
  const log = memoryLog();
  await log.append([{ channel: "news", type: "headline", data: "1" }]);
  expect(isImmediate(log)).toBe(true);
  expect(locateNow(log, [question])).toEqual(await log.locate([question]));
});

test("a log whose locate() was wrapped still gets every question", async () => {
  const log = memoryLog();
  const locate = vi.fn((questions: Parameters<typeof log.locate>[0]) => memory(questions));
  const memory = log.locate.bind(log);
  log.locate = locate;
  expect(isImmediate(log)).toBe(false);
  const hub = createHub({ log });
  await hub.response(request(), { channels: ["news"] });
  expect(locate).toHaveBeenCalledTimes(1);
  await hub.close();
});
