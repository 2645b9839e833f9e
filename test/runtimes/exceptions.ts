/**
 * The unit tests that do not apply to a runtime: by their file, the full name of each, or of the group that they are in, with the
 * reason. `{ "set.test.mjs": { "closeAll > twice": "It has no …" } }`
 */
export type Exceptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

const coarseClock = "The clock counts whole milliseconds, and what is measured takes less";
const everyJob = "A worker flushes after each job, since the turn of the event loop may end with a request";
const jsonForm = "Bun gives it a JSON form, by a `toJSON()`, so nothing would be lost";
const noActiveResources = "The runtime does not tell which timers keep a process alive";
const noGarbage = "Garbage cannot be collected on demand";
const noListeners = "node:events does not see the listeners of a signal";
const noRest = "A timer that rests is stopped there, as a Durable Object would otherwise stay in memory for it";
const noServer = "Responses of node:http cannot be made without a server";
const noSignals = "There are no signals";
const noContext = "The zlib of Deno ignores a dictionary, so that a stream is not compressed";
const notNode = "It asks V8 about the responses of Node";
const ofNode = "The bound includes the objects of Node, and each runtime has others";
const ownEncoding = "Workers encode a body themselves, so that a stream is not compressed";
const ownTimers = "Each connection has a timer of its own";
const ownWrite = "The response of Bun has a `write()` of its own, to which each client's bytes go in one piece";
const quota = "There may be 10,000 timers, and each connection has one of its own";
const readOut = "A body asks for more when all of it has been read, and not before";

export const exceptions = {
  Bun: {
    "binary.test.mjs": {
      "%s (12) > is refused by %s (5)": jsonForm,
      "%s (12) > is refused by %s (6)": jsonForm,
      "%s (13) > is refused by %s (5)": jsonForm,
      "%s (13) > is refused by %s (6)": jsonForm,
    },
    "costs.test.mjs": {
      "a replay is not copied for the clients that share it: each gets its own opening, and then the same bytes":
        ownWrite,
      "allocates less than 12 kB to admit a subscription, Node included": ofNode,
      "the text of a header is kept as one string": notNode,
    },
    "hub/read.test.mjs": {
      "channel.read() > keeps the process alive while it waits, and only then": noActiveResources,
    },
  },
  Deno: {
    ...compressionTests(noContext),
    "costs.test.mjs": {
      "allocates less than 12 kB to admit a subscription, Node included": ofNode,
      "the text of a header is kept as one string": notNode,
    },
    "hub/read.test.mjs": {
      "channel.read() > keeps the process alive while it waits, and only then": noActiveResources,
    },
  },
  Workers: {
    "hub/read.test.mjs": {
      "channel.read() > keeps the process alive while it waits, and only then": noActiveResources,
    },
    ...compressionTests(ownEncoding),
    "clock.test.mjs": { "a wake timer > that rests does not wake, and goes on from where it was": noRest },
    "costs.test.mjs": {
      "%s (1)": noServer,
      "%s (2)": noServer,
      "a dispatch of a set touches none of its members before the end of the tick": noServer,
      "allocates less than 12 kB to admit a subscription, Node included": noServer,
      "the text of a header is kept as one string": noServer,
      "a replay is not copied for the clients that share it: each gets its own opening, and then the same bytes":
        noServer,
      "a subscription opens in the turn of the event loop in which its request came: one write, with its replay":
        noServer,
    },
    "idle-timer.test.mjs": {
      "targets of different idle times share wake-ups, each within a twentieth of its own": ownTimers,
    },
    "keep-alive.test.mjs": {
      "rule 16: a comment after idle time > one timer serves all sources, whatever their silences, and none is left without sources":
        ownTimers,
      "rule 16: a comment after idle time > sources due at scattered moments share wakings, and none waits longer than a twentieth more":
        ownTimers,
      "an open source does not hold the process, nor does an import": "There is no process to start",
    },
    "hub/failures.test.mjs": {
      "a log that is lost while clients are connected > also clients that are starting or lagging: events not delivered after the reset were delivered before it":
        readOut,
    },
    "hub/lagging.test.mjs": {
      "one write > carries a whole replay that fits": everyJob,
      "one that stops reading > is not closed while nothing waits for it, nor while it gets on": readOut,
    },
    "hub/locate.test.mjs": {
      "10,000 clients that reconnect in one tick > cost tens of calls, from %s (1)": quota,
      "10,000 clients that reconnect in one tick > cost tens of calls, from %s (2)": quota,
    },
    "life.test.mjs": {
      "a disconnect: close is dispatched exactly once, as disconnected, and prints nothing > leaves no listener on the signal of the request":
        noListeners,
      "a stream keeps the handle of its application only for a listener: the hub needs none": noGarbage,
    },
    "log/selection.test.mjs": { "a matcher costs the same for many names and prefixes as for a few": coarseClock },
    "memory-log.test.mjs": {
      "a question costs what its answer is, whatever else is in the log: > %s on a prefix among 60,000 channels with other prefixes (1)":
        coarseClock,
      "a question costs what its answer is, whatever else is in the log: > %s on a prefix among 60,000 channels with other prefixes (2)":
        coarseClock,
      "a question costs what its answer is, whatever else is in the log: > %s on a prefix among 60,000 channels with other prefixes (3)":
        coarseClock,
      "a question costs what its answer is, whatever else is in the log: > %s on a prefix among 60,000 channels with other prefixes (4)":
        coarseClock,
      "a question costs what its answer is, whatever else is in the log: > a resume over superseded entries, by name, by prefix, and of all channels":
        coarseClock,
    },
    "parse.test.mjs": {
      "costs > take time in proportion to the length of the stream: %s (1)": coarseClock,
      "costs > take time in proportion to the length of the stream: %s (2)": coarseClock,
      "costs > take time in proportion to the length of the stream: %s (3)": coarseClock,
      "costs > take time in proportion to the length of the stream: %s (4)": coarseClock,
      "costs > take time in proportion to the length of the stream: %s (5)": coarseClock,
    },
    "pipe.test.mjs": {
      "back-pressure > a producer is not asked while the reader is stalled, and continues when it reads": readOut,
      "back-pressure > memory does not grow with the number of pieces": noGarbage,
    },
    "set.test.mjs": { "an unreferenced set is not held by its former members": noGarbage },
    "shutdown.test.mjs": {
      "handlers come with the first open source and go with the last": noSignals,
      "a client that leaves takes the handlers along, at a moment at which no signal is likely": noSignals,
      "a source that comes while they are still there keeps them": noSignals,
    },
    "source.test.mjs": { "close() > leaves no listener on the request's signal": noListeners },
    "time-limit.test.mjs": {
      "keeps the process alive while there is work, and only if it is to: %s (1)": noRest,
      "keeps the process alive while there is work, and only if it is to: %s (2)": noRest,
    },
    "unread.test.mjs": { "bodies that are read cost one check on the existing timer": ownTimers },
  },
} as const satisfies Record<string, Exceptions>;

/** The tests of compressed streams, for a runtime that does not have them. */
function compressionTests(reason: string) {
  return {
    "compression/group.test.mjs": {
      "a reader that a block was not for cannot continue with the next one, only with a fresh one": reason,
      "no reader waits for more than a hundred blocks, however many the others are": reason,
    },
    "compression/hub.test.mjs": {
      "the encoding of a subscription": reason,
      "subscriptions of the same channels": reason,
      "the body of each subscription": reason,
    },
    "compression/options.test.mjs": {
      "which requests may get a compressed response": reason,
      "a runtime > with zlib": reason,
      "a runtime > with a zlib that ignores the context": reason,
    },
    "compression/set.test.mjs": {
      "the encoding of a response": reason,
      "the blocks of a group": reason,
      "the body of each reader": reason,
    },
  } satisfies Exceptions;
}
