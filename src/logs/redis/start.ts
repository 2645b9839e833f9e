// Checks that a log can be used before anything is written: the server, the keys, the permissions, the options of others.
import { LogError, quote, type SourcecastError } from "../../base/errors.ts";
import { warnOnce } from "../../base/warn.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { RetentionLimits } from "../../log/retention.ts";
import { type Commands, Script } from "./commands.ts";
import { memberBeatMs } from "./retention.ts";
import { leaveScript, startScript } from "./scripts/maintain.ts";

const scripts = { start: new Script(startScript), leave: new Script(leaveScript) };

/** A process that has not registered for this long is gone, in milliseconds. */
const memberTimeoutMs = 3 * memberBeatMs;
/** `XTRIM MINID`, `XADD NOMKSTREAM`, `ZMSCORE`. */
const oldestVersion = [6, 2] as const;

/** The options that all processes of a log must share, as text. */
export function sharedOptions({ events, bytes, age, window, witnessAge }: RetentionLimits): string {
  const maxAge = age === Number.POSITIVE_INFINITY ? "none" : `${age}ms`;
  return `maxEvents ${events}, maxBytes ${bytes}, maxAge ${maxAge}, idempotencyWindow ${window}ms, witnessAge ${witnessAge}ms`;
}

/**
 * Checks the server and the keys, and creates the log when there is none.
 *
 * @param key The option `key`, for errors.
 * @throws {SourcecastError} `ERR_SSE_LOG` with the finding and its remedy.
 */
export async function startLog(commands: Commands, key: string, member: string, options: string): Promise<void> {
  checkServer(await serverInfo(commands), key);
  const args = [member, options, memberTimeoutMs, makeEpoch(), makeWitness()];
  const [status, ...found] = (await commands.run(scripts.start, args)) as readonly string[];
  // Found by the script, which has written nothing unless all is well.
  switch (status) {
    case "type":
      throw refusal(`The key ${quote(found[0])} holds a ${found[1]}; use another key for the log, or delete that one`);
    case "version":
      throw refusal(
        `The log at ${quote(key)} has version ${found[0]}, which this version of sourcecast does not know; update sourcecast`,
      );
    case "options":
      throw refusal(
        `Another process uses the log at ${quote(key)} with ${found[0]}, and this one has ${options}; use the same options ` +
          `in all processes. After the last one has ended, others are accepted, within ${memberTimeoutMs / 1_000} s`,
      );
    case "refused":
      throw refusal(
        `Redis refused the command ${found[0]} of a log: ${found[1]}; allow the user of the client its keys, and all commands ` +
          "of streams, hashes, sorted sets and scripts",
      );
    default:
  }
}

/** Says that this process does not use the log any longer. A log that is not reachable finds out after a while. */
export async function leaveLog(commands: Commands, member: string): Promise<void> {
  await commands.run(scripts.leave, [member]).catch(() => {});
}

/** `INFO` may be forbidden: a hosted server has its version and memory checked by its operator. */
async function serverInfo(commands: Commands): Promise<ReadonlyMap<string, string>> {
  try {
    const text = String(await commands.send(["INFO"]));
    return new Map(text.split("\r\n").map((line) => line.split(":", 2) as [string, string]));
  } catch (error) {
    if (error instanceof LogError && /NOPERM|unknown command/i.test(error.message)) return new Map();
    throw error;
  }
}

/** A policy that evicts only keys with an expiry does not concern the log, whose keys have none. */
function checkServer(info: ReadonlyMap<string, string>, key: string): void {
  // Valkey states the version of Redis that it is compatible with.
  const version = info.get("redis_version");
  if (version !== undefined && isOlder(version)) {
    throw refusal(`The server is Redis ${version}; a log needs ${oldestVersion.join(".")} or later, or Valkey`);
  }
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (policy.startsWith("allkeys") && info.get("maxmemory") !== "0") {
    warnOnce(
      `redis maxmemory-policy ${key}`,
      `Redis may evict the log at ${quote(key)}, because its maxmemory-policy is ${policy}. Every client would then be told ` +
        "that the log was lost. Set maxmemory-policy to noeviction, or to a volatile policy",
    );
  }
}

/** `6.0.16` is older than `6.2`. */
function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1]);
}

/** Nothing was stored, whatever it is. */
function refusal(message: string): SourcecastError {
  return new LogError(message, false);
}
