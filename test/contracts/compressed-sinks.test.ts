import { describe } from "vitest";
import { compressed, http1Sink, http2Sink, webSink } from "../support/sinks.ts";
import { sinkContract } from "./sink.ts";

describe.each([http1Sink, http2Sink, webSink].map(compressed))("$name", (sink) => sinkContract(sink));
