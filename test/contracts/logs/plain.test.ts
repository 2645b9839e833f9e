import { test } from "vitest";
import { testLog } from "../../../src/testing/index.ts";
import { plainStorage } from "../../support/plain-log.ts";

testLog({ test, lossy: true, persistent: true, shared: true, storage: (retention) => plainStorage(retention) });
