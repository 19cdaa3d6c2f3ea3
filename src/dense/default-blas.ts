/**
 * The one place that picks a dense backend for the calling thread: whoever passes none shares one, opened when it is
 * first needed.
 */
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { openBlas } from './backend.js';
import type { Blas } from './blas.js';

/** Options that take a dense backend. */
export interface BlasOption {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
}

/** Options whose backend is chosen. */
export type WithBlas<T extends BlasOption> = T & { readonly blas: Blas };

let shared: Blas | undefined;

/** The calling thread's dense backend. Throws LibraryError where HMATRIX_BLAS names one that cannot be opened. */
export function defaultBlas(): Blas {
  return (shared ??= openBlas());
}

/**
 * The options of the function named `of`, with their team's backend, or the calling thread's, where they name none.
 * Throws OptionError
 * for a key that is not among `keys`, for a backend or a team that is none.
 */
export function withBlas<T extends BlasOption>(options: T, keys: KeysOf<T>, of: string): WithBlas<T> {
  requireKnownOptions(options, keys, of);
  const { blas, team } = options as T & { readonly team?: { readonly blas: Blas } | undefined };
  return { ...options, blas: blas ?? team?.blas ?? defaultBlas() };
}
