import type { OnError } from "../options.ts";

/** Where background failures go when nobody asked for them. */
export function reportError(error: unknown, { stage }: { stage: string }): void {
  // biome-ignore lint/suspicious/noConsole: the default for those who gave no onError; silence would hide it
  console.error(`sourcecast: a failure in the background (${stage})`, error);
}

/** What an application's own handler throws must not end what the failure was in the middle of. */
export function safely(onError: OnError): OnError {
  return (error, context) => {
    try {
      onError(error, context);
    } catch (failure) {
      reportError(failure, context);
    }
  };
}
