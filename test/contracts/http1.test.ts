import { describe } from "vitest";
import { http1Sink } from "../support/sinks.ts";
import { sinkContract } from "./sink.ts";

describe(http1Sink.name, () => sinkContract(http1Sink));
