/**
 * Second moments of a network of layers as sums over slices: of each asked moment a few numbers in a vector, which is
 * summed by groups of slices, over phases and over ranks, and then put where it is asked for.
 *
 *   with factors     Σ x xᵀ (the lower triangle), or its diagonal, and how many columns x count where some are padding
 *   without factors  squares of the slices' drawn gradients, summed over outputs; or over inputs, and their total
 */
import type { FloatArray } from '../../core/floats.js';
import { sumPlaces, type RankPlace } from '../../core/sum-tree.js';
import type { Blas } from '../../dense/blas.js';
import { mirrorLower, view, type Matrix } from '../../dense/matrix.js';
import { add } from '../../distributed/node-sums.js';
import { eachInput, eachReachedInput, errorsOf, isReached, type FactorPair } from '../../layers/factor-pairs.js';
import type { NetworkTape } from '../../layers/network-tape.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import type { MomentTask } from '../objective/tasks.js';
import { graphGroups, graphNodes } from '../../layers/groups.js';

/** Numbers of a moment's vector. */
export function momentLength({ of, diagonal }: MomentTask, layer: LayerBlock, hasFactors: boolean): number {
  if (of === 'gradientRows' || of === 'gradientColumns') return 0;
  const rows = of === 'inputs' ? layer.width : layer.outputs;
  return (hasFactors && !diagonal ? rows * rows : rows) + 1;
}

/** Vectors that moments of so many slices are summed in: the rank's nodes, then places of sums. */
export const momentVectors = (slices: number, place: RankPlace): number =>
  Math.max(1, graphNodes(slices, place).length) + sumPlaces(graphGroups(slices)) - 1;

/** How the pairs of a layer's inputs and errors make its moment. */
export interface PairOptions {
  readonly task: MomentTask;
  readonly bias: boolean;
  /** Whether columns that no error reaches are left out. */
  readonly leaveOut: boolean;
  readonly rows: number;
}

/** Columns of a slice that drawn errors of a layer's weights reach; the others are of padding. */
export function reachedColumns({ machine }: NetworkTape, pairs: readonly FactorPair[]): number {
  let reached = 0;
  for (const pair of pairs) {
    const errors = errorsOf(machine, pair);
    for (let j = 0; j < errors.cols; j++) if (isReached(errors, j)) reached++;
  }
  return reached;
}

/** to ← keep·to + share·Σ x xᵀ of a tape's slice, its lower triangle; or the diagonal. */
export function addPairs(
  {
    blas,
    tape: { machine },
    pairs,
  }: { readonly blas: Blas; readonly tape: NetworkTape; readonly pairs: readonly FactorPair[] },
  { task, bias, leaveOut, rows }: PairOptions,
  { keep, share }: { readonly keep: number; readonly share: number },
  to: FloatArray,
): void {
  let old = keep;
  const scale = (): void => {
    for (let k = 0; k < to.length; k++) to[k] = old === 0 ? 0 : old * to[k];
    old = 1;
  };
  if (task.diagonal) scale();
  const add = (x: Matrix): void => {
    if (!task.diagonal) blas.syrk('L', 'N', share, x, old, view(to, 0, rows, rows));
    else
      for (let j = 0; j < x.cols; j++)
        for (let i = 0; i < rows; i++) to[i] += share * x.data[x.offset + i + j * x.ld] ** 2;
    old = 1;
  };
  for (const pair of pairs) {
    const errors = errorsOf(machine, pair);
    if (task.of === 'errors') add(errors);
    else if (leaveOut) eachReachedInput(machine, pair, { bias, reached: (j) => isReached(errors, j) }, add);
    else eachInput(machine, pair, bias, add);
  }
  // Nothing was reached.
  if (old !== 1) scale();
}

/** to ← to + from of vectors of a moment; of square sums the lower triangle and the number behind it. */
export function addMoments(to: FloatArray, from: FloatArray, square: boolean): void {
  if (!square) {
    add(to, from);
    return;
  }
  const rows = Math.round(Math.sqrt(to.length - 1));
  for (let j = 0; j < rows; j++) for (let at = j * rows + j; at < (j + 1) * rows; at++) to[at] += from[at];
  to[to.length - 1] += from[to.length - 1];
}

/**
 * to ← to + squares of a slice's drawn gradient g (width × outputs) over their sum `weight`: over outputs for 'inputs';
 * over inputs, and their total at the end.
 */
export function addSquares(
  { of }: MomentTask,
  { width, outputs }: LayerBlock,
  g: FloatArray,
  weight: number,
  to: FloatArray,
): void {
  const sums = new Float64Array(to.length);
  for (let j = 0, at = 0; j < outputs; j++)
    for (let i = 0; i < width; i++, at++) {
      const square = g[at] ** 2 / weight;
      sums[of === 'inputs' ? i : j] += square;
      sums[to.length - 1] += square;
    }
  for (let k = 0; k < to.length; k++) to[k] += sums[k];
}

/** What sums are divided by, where they do not count themselves. */
export interface MomentShare {
  readonly keep: number;
  /** Columns of inputs; null: those that the sum has counted. */
  readonly inputs: number | null;
  readonly weight: number;
}

/** out ← keep·out + (1 − keep)·moment, both triangles, from the sum of a layer with factors. */
export function putFactor(
  { of, diagonal }: MomentTask,
  rows: number,
  sum: FloatArray,
  { keep, inputs, weight }: MomentShare,
  out: FloatArray,
): void {
  const divisor = of === 'errors' ? weight : Math.max(1, inputs ?? sum[sum.length - 1]);
  const share = (1 - keep) / divisor;
  if (diagonal) {
    for (let k = 0; k < rows; k++) out[k] = keep * out[k] + share * sum[k];
    return;
  }
  for (let j = 0; j < rows; j++)
    for (let at = j * rows + j; at < (j + 1) * rows; at++) out[at] = keep * out[at] + share * sum[at];
  mirrorLower(view(out, 0, rows, rows));
}

/**
 * The diagonal of a block without factors, as a product of rows and columns (as N. Shazeer, M. Stern, *Adafactor*, ICML
 * 2018, have it): squares of the slices' drawn gradients, whose mean over signs is that over samples. Where more than
 * the diagonal is asked for, the rest is zero.
 */
export function putSquares(
  { of, diagonal }: MomentTask,
  { width, outputs }: LayerBlock,
  sum: FloatArray,
  keep: number,
  out: FloatArray,
): void {
  const share = 1 - keep;
  const size = of === 'inputs' ? width : outputs;
  const total = sum[size];
  const own = (k: number): number => {
    if (of === 'inputs') return sum[k] / outputs;
    return total > 0 ? (outputs * sum[k]) / total : 1;
  };
  if (diagonal) {
    for (let k = 0; k < size; k++) out[k] = keep * out[k] + share * own(k);
    return;
  }
  for (let at = 0; at < size * size; at++) out[at] = keep === 0 ? 0 : keep * out[at];
  for (let k = 0; k < size; k++) out[k * (size + 1)] += share * own(k);
}
