import { bursts } from "./measures/bursts.mjs";
import { channels } from "./measures/channels.mjs";
import { connections } from "./measures/connections.mjs";
import { fanOut } from "./measures/fan-out.mjs";
import { latency } from "./measures/latency.mjs";
import { loader } from "./measures/loader.mjs";
import { log } from "./measures/log.mjs";
import { publishers } from "./measures/publishers.mjs";
import { runtimes } from "./measures/runtimes.mjs";
import { stalled } from "./measures/stalled.mjs";
import { start } from "./measures/start.mjs";
import { storm } from "./measures/storm.mjs";

/** In the order in which they are run. @type {readonly import("./lib/measure.mjs").Measure[]} */
export const measures = [
  loader,
  fanOut,
  publishers,
  bursts,
  latency,
  connections,
  storm,
  stalled,
  channels,
  log,
  runtimes,
  start,
];
