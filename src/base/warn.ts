// Warnings about misconfiguration, once per process, for mistakes that no caller can be told about by an error.

const warned = new Set<string>();

/**
 * Prints a warning, once per process.
 *
 * @param subject Identifies the warning.
 */
export function warnOnce(subject: string, text: string): void {
  if (warned.has(subject)) return;
  warned.add(subject);
  // biome-ignore lint/suspicious/noConsole: the developer has to see it, and no caller could catch it
  console.warn(`sourcecast: ${text}`);
}

/** Makes every warning print again, for tests. */
export function resetWarnings(): void {
  warned.clear();
}
