// The text of a run that another process produced, as far as the log has it.
import type { LimitedLog } from "../hub/limited-log.ts";
import { parseCursor } from "../wire/cursor.ts";
import type { ElectedRun } from "./chat.ts";
import { entriesOf } from "./entries.ts";
import type { RunProtocol } from "./protocol.ts";

/** Reads the run's channel, and joins the text of its events. */
export async function textOfRun(log: LimitedLog, run: ElectedRun, protocol: RunProtocol): Promise<string> {
  let text = "";
  const selection = { channels: [run.channel], prefixes: [] };
  for await (const { entry } of entriesOf(log, selection, parseCursor(run.cursor)?.offset ?? 0)) {
    const { type, data } = entry;
    // Some protocols write text, the others JSON.
    text += protocol.textOf({ type, data }) || protocol.textOf({ type, data: parseData(data) });
  }
  return text;
}

/** The value of JSON; text that is not JSON as it is. */
function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
