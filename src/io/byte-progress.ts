/**
 * Progress of files that are read and written chunk by chunk.
 */
import type { RunControl } from '../core/context.js';

/** What is to see every chunk of `total` bytes, to tell `onProgress` how many are done. */
export function byteProgress(
  phase: 'read' | 'write',
  total: number,
  { onProgress }: RunControl,
): (chunk: Uint8Array) => void {
  let done = 0;
  return (chunk) => {
    done += chunk.length;
    onProgress?.({ phase, done, total });
  };
}
