/**
 * The losses by name. Types, options, help and error texts follow from this table: a new loss is one file and its entry
 * here (CONTRIBUTING.md). Formulas: each loss's own file.
 */
import { quoted } from '../../core/kind.js';
import { OptionError } from '../../core/errors.js';
import { bce } from './bce.js';
import { crossEntropy } from './cross-entropy.js';
import type { Loss } from './loss.js';
import { meanSquared } from './mean-squared.js';
import { mse } from './mse.js';
import { squaredError } from './squared-error.js';

const TABLE = {
  mse,
  'squared-error': squaredError,
  'mean-squared': meanSquared,
  'cross-entropy': crossEntropy,
  bce,
} satisfies Readonly<Record<string, Loss>>;

/** The name of a loss. */
export type LossName = keyof typeof TABLE;
/** All values of {@link LossName}. */
export const LOSSES = Object.keys(TABLE) as readonly LossName[];

/** The loss of that name. Throws OptionError for an unknown name. */
export function lossOf(name: LossName): Loss {
  if (!Object.hasOwn(TABLE, name))
    throw new OptionError(`Unknown loss ${quoted(name)}: choose ${LOSSES.join(', ')}.`, { loss: name });
  return TABLE[name];
}

/** q of a squared loss (q/2)‖f − y‖² of r = `outputs` outputs; null for other losses. Throws OptionError. */
export const squaredScale = (name: LossName, outputs: number): number | null => lossOf(name).squared?.(outputs) ?? null;
