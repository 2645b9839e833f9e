// sourcecast/adapter: the parts of an adapter for another framework or runtime, in addition to `sourcecast` itself.
//
// An adapter turns the arguments of a route into an exchange: a request in the form of the fetch standard, and a sink that
// writes to the response. `new EventSource(exchange, options)` opens a source on it, `hub.open(exchange, options)`
// a subscription.
export { unrefTimeout } from "../base/clock.ts";
export { quote } from "../base/errors.ts";
export { checkOptions, type OptionCheck, type OptionChecks } from "../base/options.ts";
export type { EarlyResponse } from "../http/early-response.ts";
export type { HeaderFields } from "../http/headers.ts";
export { subscribeChecks } from "../hub/option-checks.ts";
export type { Exchange } from "../sinks/exchange.ts";
export { type HeaderSource, highWaterMark, Sink, type SinkOwner } from "../sinks/sink.ts";
export { WebSink } from "../sinks/web.ts";
export { sourceChecks } from "../source/options.ts";
export { Frame } from "../wire/frame.ts";
