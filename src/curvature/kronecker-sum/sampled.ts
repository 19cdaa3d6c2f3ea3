/**
 * The error of a Kronecker sum whose modes were streamed, from test vectors that they know nothing of (stream.ts):
 *
 *   ‖G − G̃‖_F² = E Σ over pairs of layers w·‖R(u ⊗ v) − Σ_j M_j·(uᵀS̃_jv)‖²,   w = 1 within a layer, else 2
 *
 * and, S̃_j being parts of QᵀR in an orthonormal basis, ‖G‖_F² = ‖G̃‖_F² + ‖G − G̃‖_F².
 */
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { copyInto, view, zeros, type Matrix } from '../../dense/matrix.js';
import { meanInterval, type MeanInterval } from '../../krylov/mean-interval.js';
import { panelAt, wideView, type SumLayout } from './data.js';
import type { PairModes } from './modes.js';
import type { PairProbes } from './stream.js';

/** ‖R(u ⊗ v)‖² over all pairs, a number for each probe; with a layout, what it leaves of it. */
function leftOf(
  modes: readonly PairModes[],
  probes: readonly PairProbes[],
  layout: SumLayout | null,
  blas: Blas,
): Float64Array {
  const count = probes.length === 0 ? 0 : probes[0].images.cols;
  const sums = new Float64Array(count);
  modes.forEach((of, pair) => {
    const { images } = probes[pair];
    const left = zeros(images.rows, count);
    copyInto(left, images);
    if (layout !== null) {
      const forms = keptForms(layout, pair, of, probes[pair], blas);
      blas.gemm('N', 'N', -1, view(of.matrices, 0, of.numbers, of.count), forms, 1, left);
    }
    const weight = of.lower === of.upper ? 1 : 2;
    for (let t = 0, at = 0; t < count; t++)
      for (let p = 0; p < left.rows; p++, at++) sums[t] += weight * left.data[at] ** 2;
  });
  return sums;
}

/** uᵀS̃_jv of what the layout keeps of a pair: modes × probes. */
function keptForms(
  { data, kept, panelBegin }: SumLayout,
  pair: number,
  { lower, count }: PairModes,
  { lower: u, upper: v }: PairProbes,
  blas: Blas,
): Matrix {
  const probes = u.cols;
  const forms = zeros(count, probes);
  const { row, column } = data.pairs[pair];
  const [rowSide, columnSide] = row === lower ? [u, v] : [v, u];
  kept.forEach((group, g) => {
    if (group.pair !== pair) return;
    for (let k = panelBegin[g]; k < panelBegin[g + 1]; k++) {
      const { modes, rows, columns, rowBegin, columnBegin, values } = panelAt(data, k);
      const add = (near: Matrix, far: Matrix, skipped: number): void => {
        if (columns === skipped) return;
        const product = zeros(modes * rows, probes);
        const part = wideView(data.values, values + skipped * modes * rows, modes * rows, columns - skipped);
        const vectors = view(far.data, far.offset + columnBegin + skipped, columns - skipped, probes, far.ld);
        blas.gemm('N', 'N', 1, part, vectors, 0, product);
        for (let t = 0, at = 0; t < probes; t++)
          for (let j = 0; j < modes; j++)
            for (let p = 0; p < rows; p++, at++)
              forms.data[group.first + j + t * count] +=
                near.data[near.offset + rowBegin + p + t * near.ld] * product.data[at];
      };
      add(rowSide, columnSide, 0);
      // Within a layer the lower triangle is the upper one's transpose.
      if (row === column) add(columnSide, rowSide, rows);
    }
  });
  return forms;
}

/** ‖G − G̃‖_F² and its interval of 95 %. Where there are no modes, all of G is kept: zero. */
export const sampledDifference = (
  modes: readonly PairModes[],
  probes: readonly PairProbes[],
  layout: SumLayout,
  blas: Blas,
): MeanInterval => meanInterval(modes.length === 0 ? [0, 0] : leftOf(modes, probes, layout, blas));

/** What no mode holds of ‖G‖_F², estimated. */
export function uncaptured(modes: readonly PairModes[], probes: readonly PairProbes[], blas: Blas): number {
  const outside = modes.map(({ matrices, numbers, count }, pair): PairProbes => {
    const { images } = probes[pair];
    const inside = zeros(count, images.cols);
    const m = view(matrices, 0, numbers, count);
    blas.gemm('T', 'N', 1, m, images, 0, inside);
    const left = view(sharedFloat64(images.rows * images.cols), 0, images.rows, images.cols);
    copyInto(left, images);
    blas.gemm('N', 'N', -1, m, inside, 1, left);
    return { ...probes[pair], images: left };
  });
  return Math.max(0, meanInterval(leftOf(modes, outside, null, blas)).value);
}
