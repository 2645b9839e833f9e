/** Where background failures go when nobody asked for them. */
export function reportError(error: unknown, { stage }: { stage: string }): void {
  // biome-ignore lint/suspicious/noConsole: the default for those who gave no onError; silence would hide it
  console.error(`sourcecast: a failure in the background (${stage})`, error);
}
