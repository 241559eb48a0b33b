const checkMs = 10;

/**
 * Waits until it is so, looking every 10 ms.
 *
 * @param longestMs of the wait, 10,000 unless told.
 * @throws Error naming what was waited for.
 */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, longestMs = 10_000): Promise<void> {
  const startMs = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startMs > longestMs) throw new Error(`Not within ${longestMs} ms: ${what}.`);
    await pause(checkMs);
  }
}

/** Lets time pass, milliseconds. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
