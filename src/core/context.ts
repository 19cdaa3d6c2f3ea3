/**
 * What callers of long-running functions pass along: progress and abort.
 */
import { requireKnownOptions, type KeysOf, type OptionType } from './known-options.js';
import { AbortedError } from './errors.js';

/** `done` of `total` units of work of the named phase are finished (total is known when a phase starts). */
export interface Progress {
  readonly phase: string;
  readonly done: number;
  /** Units of the whole phase. */
  readonly total: number;
  /** What is known on the way, by name: loss, accuracy, damping. */
  readonly values?: Readonly<Record<string, number>> | undefined;
  /** Present where this is a warning (warning.ts) instead of a step of a phase. */
  readonly warning?: string | undefined;
}

/**
 * What is needed of an `AbortSignal`: Node's is one. Declared here so that the library's types need no others, neither
 * Node's nor the DOM's.
 */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown | undefined;
}

/** Abort and progress of a long-running function, honoured between its tasks. */
export interface RunControl {
  /** Ends the function with AbortedError once it has fired. */
  readonly signal?: AbortSignalLike | undefined;
  /** Called on the calling thread, between tasks: every 40 ms at most where a team works. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}
/** The keys of {@link RunControl}, and `team`, which every function that takes a control accepts. */
const CONTROL_KEYS: KeysOf<RunControl & { readonly team?: unknown | undefined }> = {
  signal: true,
  onProgress: 'function',
  team: true,
};

/**
 * Throws OptionError unless `control` holds an AbortSignal, a progress callback, a team (which functions without
 * workers leave alone), what `more` names, and nothing else.
 */
export function requireControl(control: RunControl, of: string, more: Readonly<Record<string, OptionType>> = {}): void {
  requireKnownOptions(control, { ...CONTROL_KEYS, ...more }, of);
}

/**
 * Signal and progress of the control of the function named `of`; it may hold what `more` names besides. Throws
 * OptionError.
 */
export function checkedControl(
  control: RunControl,
  of: string,
  more: Readonly<Record<string, OptionType>> = {},
): Required<RunControl> {
  requireControl(control, of, more);
  const { signal, onProgress } = control;
  return { signal, onProgress };
}

/** Throws AbortedError if the signal has fired. */
export function throwIfAborted(signal: AbortSignalLike | undefined): void {
  if (signal?.aborted)
    throw new AbortedError(signal.reason instanceof Error ? `Aborted: ${signal.reason.message}` : undefined);
}
