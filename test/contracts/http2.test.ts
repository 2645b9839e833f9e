import { describe } from "vitest";
import { http2Sink } from "../support/sinks.ts";
import { sinkContract } from "./sink.ts";

describe(http2Sink.name, () => sinkContract(http2Sink));
