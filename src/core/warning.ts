/**
 * Warnings: what a caller should know although there is a result.
 */
import type { RunControl } from './context.js';

/** The type of the process's warnings that come from this library; `code` says which kind. */
export const WARNING_TYPE = 'HmatrixWarning';

/**
 * Says `message` once on the caller's progress callback (`Progress.warning`) and as a warning of the process
 * (`process.on('warning', …)`), in a browser on its console.
 */
export function warn(code: string, message: string, control: RunControl = {}): void {
  control.onProgress?.({ phase: 'warning', done: 0, total: 0, warning: message });
  if (typeof process !== 'undefined') process.emitWarning(message, { type: WARNING_TYPE, code });
  // eslint-disable-next-line no-console -- what a browser has for warnings
  else console.warn(`${WARNING_TYPE} [${code}]: ${message}`);
}
