import { test } from "vitest";
import { testLog } from "../../../src/testing/index.ts";
import { plainStorage } from "../../support/plain-log.ts";

testLog({ test, lossy: true, storage: (retention) => plainStorage(retention) });
