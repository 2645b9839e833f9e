#!/usr/bin/env node
// npx sourcecast URL: prints the events of a stream. The one module of the package that does something when it runs.
import { readArguments, type Settings, UsageError } from "./arguments.ts";
import { exitCodes } from "./exit-codes.ts";
import { help, version } from "./help.ts";
import { PositionFile } from "./position-file.ts";
import { Reports } from "./reports.ts";
import { Run } from "./run.ts";

/** @returns The exit code. An error other than the user's is a defect, and Node prints its stack. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const settings = readArguments(args);
    if (typeof settings === "object") return await follow(settings);
    // The reader of the help may leave before its end, as `head` does.
    process.stdout.on("error", () => {}).write(settings === "help" ? help : `${version()}\n`);
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`sourcecast: ${error.message}\nTry sourcecast --help\n`);
    return exitCodes.usage;
  }
}

/** One run with these settings. @returns The exit code. */
async function follow(settings: Settings): Promise<number> {
  const reports = new Reports(process.stderr, settings);
  try {
    const file = settings.resumeFile === undefined ? undefined : new PositionFile(settings.resumeFile);
    return await new Run(settings, process, reports, file).finish();
  } catch (error) {
    // The file of --resume cannot be read or written.
    reports.error((error as Error).message);
    return exitCodes.failed;
  }
}

// The process ends on its own when its last write is done. `process.exit()` would cut that off.
process.exitCode = await main(process.argv.slice(2));
