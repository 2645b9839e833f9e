const given = new Set<string>();

/**
 * Says once in a process what is wrong with how the package is used, where there is nobody whom an error would reach.
 *
 * @param subject What it is about: one notice for each.
 */
export function noticeOnce(subject: string, text: string): void {
  if (given.has(subject)) return;
  given.add(subject);
  // biome-ignore lint/suspicious/noConsole: for the one who wrote the wiring; silence would hide it
  console.warn(`sourcecast: ${text}`);
}

/** As in a new process: for tests. */
export function forgetNotices(): void {
  given.clear();
}
