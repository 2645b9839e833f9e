import type { CompleteLog } from "../../../src/log/complete.ts";
import type { Retention } from "../../../src/log/log.ts";
import type { FaultProxy } from "../../support/stores/fault-proxy.ts";

/** A server with logs, as the model of faults uses it. */
export interface ModelStore extends AsyncDisposable {
  readonly name: string;
  /** It does not know which channels the entries had that it has removed. */
  readonly trimsAll: boolean;
  /** A process: with connections of its own, through a proxy of its own. */
  machine(): Promise<Machine>;
  /** The log is gone, with all that it had, as if an operator had deleted it. */
  renew(log: string): Promise<void>;
}

export interface Machine extends AsyncDisposable {
  readonly proxy: FaultProxy;
  /** Opens a log by its name. Its appends are given up after two seconds. */
  open(log: string, retention: Retention): CompleteLog;
}
