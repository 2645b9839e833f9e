// Warnings about misconfiguration, once per process, for mistakes that no caller can be told about by an error.

const warned = new Set<string>();

/**
 * Says once in a process what is wrong with how the package is used, where there is nobody whom an error would reach.
 *
 * @param subject What it is about: one notice for each.
 */
export function warnOnce(subject: string, text: string): void {
  if (warned.has(subject)) return;
  warned.add(subject);
  // biome-ignore lint/suspicious/noConsole: for the one who wrote the wiring; silence would hide it
  console.warn(`sourcecast: ${text}`);
}

/** As in a new process: for tests. */
export function resetWarnings(): void {
  warned.clear();
}
