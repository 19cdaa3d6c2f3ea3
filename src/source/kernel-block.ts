/**
 * Rectangular blocks of kernels: K(X*, X), by which a Gaussian process predicts at X* from data at X.
 */
import { ShapeError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { openEntries, type EntryOperator } from './entry-operator.js';
import type { GivenPoints } from './entry-source.js';
import { kernelSource } from './kernel-source.js';
import type { Kernel } from './kernels/kernel.js';
import { asPoints } from './points.js';

/** Options of {@link kernelBlock}. */
export interface KernelBlockOptions {
  /** Bytes that the dense block may take to be evaluated once and kept: 8·M·N keep it. Default 0: nothing is kept. */
  readonly keepBytes?: number | undefined;
}
/** The keys of {@link KernelBlockOptions}. */
const KERNEL_BLOCK_KEYS: KeysOf<KernelBlockOptions> = { keepBytes: 'number' };

/**
 * The M × N operator K(X*, X), K(i, j) = k(x*_i, x_j), of M `targets` X* and N `points` X of one dimension, any noise
 * aside: no ridge is added where a target is a point. `transpose()` of it is K(X, X*). Panels of M or N rows are
 * evaluated on the team for every product and are not stored: M·N entries and 2·M·N flops a vector, for up to 256
 * vectors at once. Both sets of points are copied, side by side. A kernel without a definition is evaluated by the
 * calling thread. Throws ShapeError where the dimensions differ, and as `kernelSource` and `entryOperator` do.
 */
export async function kernelBlock(
  kernel: Kernel,
  targets: GivenPoints,
  points: GivenPoints,
  options: KernelBlockOptions = {},
  given: Control = {},
): Promise<EntryOperator> {
  const { keepBytes = 0 } = requireKnownOptions(options, KERNEL_BLOCK_KEYS, 'kernelBlock');
  requireRole(kernel, 'kernel', 'kernelBlock');
  const [first, second] = [asPoints(targets), asPoints(points)];
  const { dimension } = first;
  if (second.dimension !== dimension) {
    throw new ShapeError(
      `The targets of kernelBlock have dimension ${dimension}, and the points dimension ${second.dimension}: both ` +
        'must be the same.',
      { targets: dimension, points: second.dimension },
    );
  }
  const control = await onTeam(given, 'kernelBlock');
  const count = first.count + second.count;
  const coordinates = sharedFloat64(dimension * count);
  coordinates.set(first.coordinates);
  coordinates.set(second.coordinates, first.coordinates.length);
  const source = kernelSource({ dimension, count, coordinates }, kernel, { blas: control.team.blas });
  const rows = { first: 0, count: first.count };
  const cols = { first: first.count, count: second.count };
  return openEntries({ source, rows, cols, symmetric: false, keepBytes }, control);
}
