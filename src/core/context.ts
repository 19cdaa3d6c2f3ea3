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

/**
 * What is needed of an `AbortSignal`: Node's is one. Declared here so that the library's types need no others, neither
 * Node's nor the DOM's.
 */
export interface AbortSignalLike { readonly aborted: boolean; readonly reason?: unknown }

export interface RunControl {
  readonly signal?: AbortSignalLike | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Throws AbortedError if the signal has fired. */
export function throwIfAborted(signal: AbortSignalLike | undefined): void {
  if (signal?.aborted) throw new AbortedError(signal.reason instanceof Error ? `Aborted: ${signal.reason.message}` : undefined);
}
