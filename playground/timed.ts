/**
 * How long something takes.
 */
import { median } from '#hmatrix/core/median.js';

/** Seconds of what `act` does, the median of so many times, and what the last one gave. */
export async function timed<T>(
  act: () => T | Promise<T>,
  times: number,
): Promise<{ readonly seconds: number; readonly last: T }> {
  const seconds: number[] = [];
  for (;;) {
    const began = performance.now();
    const last = await act();
    seconds.push((performance.now() - began) / 1000);
    if (seconds.length >= times) return { seconds: median(seconds), last };
  }
}
