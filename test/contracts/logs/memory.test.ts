import { test } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { testLog } from "../../../src/testing/index.ts";

testLog({ test, storage: (retention) => ({ open: () => memoryLog(retention) }) });
