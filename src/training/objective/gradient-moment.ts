/**
 * Second moments of a layer's gradient, and where those of samples are not known.
 */
import { OptionError } from '../../core/errors.js';
import type { Blas } from '../../dense/blas.js';
import { mirrorLower, view, type FloatArray, type Matrix } from '../../dense/matrix.js';

/** out ← keep·out + (1 − keep)·GGᵀ ('gradientRows') or GᵀG, both triangles; diagonals where the task says so. */
export function gradientMoment(
  blas: Blas,
  g: Matrix,
  { of, diagonal }: { readonly of: 'gradientRows' | 'gradientColumns'; readonly diagonal: boolean },
  keep: number,
  out: FloatArray,
): void {
  const byRows = of === 'gradientRows';
  const size = byRows ? g.rows : g.cols;
  if (diagonal) {
    for (let k = 0; k < size; k++) out[k] *= keep;
    for (let j = 0; j < g.cols; j++)
      for (let i = 0; i < g.rows; i++) out[byRows ? i : j] += (1 - keep) * g.data[g.offset + i + j * g.ld] ** 2;
    return;
  }
  const square = view(out, 0, size, size);
  blas.syrk('L', byRows ? 'N' : 'T', 1 - keep, g, keep, square);
  mirrorLower(square);
}

/** Throws OptionError. */
export function refuseSquares(): never {
  throw new OptionError(
    "Squares of the samples' own gradients are known for perceptrons alone: take preconditioner: 'kfac', or none.",
    {},
  );
}
