import { describe } from "vitest";
import { webSink } from "../support/sinks.ts";
import { sinkContract } from "./sink.ts";

describe(webSink.name, () => sinkContract(webSink));
