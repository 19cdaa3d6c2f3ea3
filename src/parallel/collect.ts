/**
 * Memory of shared arrays that nobody refers to any more, given back at once.
 * V8 counts shared memory for nothing when it decides whether to collect: hundreds of megabytes that were let go may
 * stay until other garbage has piled up, on every thread that ever saw them.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Less than this is not worth a collection, which takes some ten milliseconds. */
const WORTHWHILE_BYTES = 2 ** 25;

/** Whether so many bytes, let go, are worth a collection. */
export const isWorthCollecting = (bytes: number): boolean => bytes >= WORTHWHILE_BYTES;

let collector: (() => void) | undefined;

/** V8's own collector, which Node shows only where it is asked to; nothing where it does not at all. */
function findCollector(): () => void {
  if (typeof globalThis.gc === 'function') return globalThis.gc as () => void;
  try {
    setFlagsFromString('--expose-gc');
    const found: unknown = runInNewContext('gc');
    if (typeof found === 'function') return found as () => void;
  } catch {
    // Then V8 collects when it likes to.
  }
  return () => undefined;
}

/** Collects this thread's garbage. */
export function collectGarbage(): void {
  collector ??= findCollector();
  collector();
}
