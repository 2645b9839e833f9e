import { SourcecastError } from "../errors.ts";
import { bytes, type Duration, milliseconds, type Size } from "../units.ts";
import {
  type Appended,
  type Head,
  type Log,
  type LogEntry,
  makeEpoch,
  makeWitness,
  type NewEntry,
  type Page,
  type Selection,
  selects,
  type Tail,
  type TailBatch,
  weightOf,
} from "./log.ts";
