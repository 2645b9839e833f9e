/** Waits for something that may never happen, and then says what it was. */
export async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${milliseconds} ms: ${what}`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again for what no event announces: the state of another process. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  isIt: (value: T) => boolean,
  milliseconds = 10_000,
): Promise<T> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const value = await ask();
    if (isIt(value)) return value;
    if (performance.now() > deadline) {
      throw new Error(`Not within ${milliseconds} ms: ${what}. It is ${JSON.stringify(value)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
