/**
 * What callers of long-running functions pass along: progress and abort. Layer 0.
 */
import { AbortedError } from './errors.js';

/** `done` of `total` units of work of the named phase are finished (total is known when a phase starts). */
export interface Progress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  /** There where this is no step of a phase but a warning (warning.ts). */
  readonly warning?: string | undefined;
}

export interface RunControl {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Throws AbortedError if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError(signal.reason instanceof Error ? `Aborted: ${signal.reason.message}` : undefined);
}
