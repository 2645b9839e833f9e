// The check of the option `events` of every function that takes a contract.
import { anObjectWith, type OptionCheck } from "../base/options.ts";

/** By structure: the contract may come from another copy of the package. */
export const aContract: OptionCheck = anObjectWith("a contract of defineEvents() from sourcecast/contract", "decode");
