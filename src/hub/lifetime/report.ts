// Reports of failures that no caller waits for.
import { isPromise } from "../../base/deadline.ts";

/** Reports a background failure where the application has given no `onError`. */
export function reportError(error: unknown, { stage }: { stage: string }): void {
  // biome-ignore lint/suspicious/noConsole: the default of the option onError; without it a failure would go unnoticed
  console.error(`sourcecast: a failure in the background (${stage})`, error);
}

/**
 * An `onError` that throws or rejects must not interrupt the work in which the failure occurred: that may be the tail, on
 * which all subscriptions depend. The failure of `onError` itself is printed, after the one that it did not take.
 */
export function safely<Context extends { stage: string }>(
  onError: (error: unknown, context: Context) => unknown,
): (error: unknown, context: Context) => void {
  return (error, context) => {
    const report = (failure: unknown): void => {
      reportError(error, context);
      if (failure !== error) reportError(failure, { stage: `${context.stage}, in onError` });
    };
    try {
      const told = onError(error, context);
      if (isPromise(told)) told.then(undefined, report);
    } catch (failure) {
      report(failure);
    }
  };
}
