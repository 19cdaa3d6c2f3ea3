/**
 * Typed errors told by their names, on their way from another thread or process, or from another copy of the library.
 */
import * as errors from './errors.js';

/** Whether it is one of the library's errors, by name: it may be of another copy of its classes. */
export const isTyped = (error: unknown): error is errors.HmatrixError =>
  error instanceof errors.HmatrixError ||
  (error instanceof Error && error.name in errors && 'code' in error && 'data' in error);

/** An error of the class of that name; undefined where the library has none. */
export function typedError(
  name: string,
  message: string,
  data: Readonly<Record<string, unknown>>,
): errors.HmatrixError | undefined {
  const constructor = (errors as Record<string, unknown>)[name];
  if (typeof constructor !== 'function' || name === 'HmatrixError') return undefined;
  return new (constructor as new (message: string, data: object) => errors.HmatrixError)(message, data);
}
