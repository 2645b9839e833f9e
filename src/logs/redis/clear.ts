// `log.clear()`: erases a channel, slice by slice, so that other clients of the server get their turn in between.
import { now } from "../../base/clock.ts";
import { LogError, quote } from "../../base/errors.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { Appended } from "../../log/log.ts";
import { type Commands, Script } from "./commands.ts";
import { clearScript, forgetScript } from "./scripts/clear.ts";

const scripts = { clear: new Script(clearScript), forget: new Script(forgetScript) };

/** How often to ask whether another clearing has ended, and for how long, in milliseconds. */
const busyRetryMs = 50;
const busyTimeoutMs = 30_000;

/** As the script returns it. */
type ClearReply = readonly ["more" | "busy" | "empty"] | readonly ["done", epoch: string, offset: number];

/**
 * Resolves with the position of the entry that records the clearing, `null` for a channel without entries.
 *
 * A process that dies in the middle has changed nothing, or has left idempotency keys until their window is over. Retention
 * removes its copy of the stream.
 *
 * @throws {LogError} when another process clears channels all the time, and for failures of the server, such as memory
 * for less than a second copy of the log. Clearing the channel once more is harmless.
 */
export async function clearChannel(channel: string, commands: Commands): Promise<Appended | null> {
  // The token tells the slices of this clearing from those of others, which would copy what this one is to erase.
  const [token, witness] = [makeEpoch(), makeWitness()];
  const deadline = now() + busyTimeoutMs;
  for (;;) {
    const [state, epoch, offset] = (await commands.run(scripts.clear, [token, channel, witness])) as ClearReply;
    if (state === "empty") return null;
    if (state === "done") {
      // After the entries: keys that are added from now on belong to later ones, and stay.
      for (let cursor: unknown = 0; ; ) {
        cursor = await commands.run(scripts.forget, [String(cursor), channel, Number(offset)]);
        if (String(cursor) === "0") return { epoch, offset: Number(offset), witness };
      }
    }
    if (state === "more") continue;
    if (now() >= deadline) {
      throw new LogError(
        `The channel ${quote(channel)} was not cleared, because other processes kept clearing channels; try again`,
        false,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, busyRetryMs));
  }
}
