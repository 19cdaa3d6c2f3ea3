/**
 * Second moments of layers with dense weights as launches: Σ x xᵀ of a slice's inputs (with ones where there is a bias)
 * or of drawn errors, or its diagonal, and what a moving average takes of it.
 */
import type { PortableKernel } from '../../device/portable-kernel.js';
import { usesOf, type FactorPair } from '../../layers/factor-pairs.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import { FILL, GATHER, ROW_DOTS, writing } from '../../tape/device/maps.js';
import { place, transposed, type Recorder } from '../../tape/device/recorder.js';
import { columnsOf, rowsOf } from '../../tape/shape.js';

/** A moment: of which layer's side, and whether its diagonal alone. */
export interface DeviceMoment {
  readonly layer: number;
  readonly of: 'inputs' | 'errors';
  readonly diagonal: boolean;
  /** Where it is kept: size × size numbers, or size. */
  readonly at: number;
}

/** Rows of a side. */
export const sizeOf = ({ of }: Pick<DeviceMoment, 'of'>, { width, outputs }: LayerBlock): number =>
  of === 'inputs' ? width : outputs;

/** y ← h[k]·y + factor·h[c]·x; of a square matrix x the upper triangle is read. Where h[k] is zero y is not read. */
const TAKE_MOMENT: PortableKernel = {
  ...writing(
    'take a moment',
    ['y', 'x', 'k', 'c', 'size', 'square'],
    `int at = i;
if (square > 0) {
  int row = i % size;
  int column = i / size;
  at = min(row, column) + max(row, column) * size;
}
real result = factor * h[c] * h[x + at];
if (h[k] != 0.0) { result = result + h[k] * h[y + i]; }
h[y + i] = result;`,
  ),
  reals: ['factor'],
};

/** Where a moment is made: its sum, and what the average keeps and what it takes of each sample. */
export interface MomentPlaces {
  readonly sum: number;
  readonly keep: number;
  readonly share: number;
}

/** Records a slice's part of a moment from the uses of the layer's weights. */
export function recordMoment(
  recorder: Recorder,
  { of, diagonal, at }: DeviceMoment,
  { layer, pairs }: { readonly layer: LayerBlock; readonly pairs: readonly FactorPair[] },
  { sum, keep, share }: MomentPlaces,
): void {
  const size = sizeOf({ of }, layer);
  const nodes = pairs.map(({ input, error }) => (of === 'inputs' ? input : error));
  const bias = of === 'inputs' && layer.bias;
  const rows = bias ? size - 1 : size;
  let columns = 0;
  recorder.begin();
  if (!diagonal)
    recorder.sum(false, [
      {
        c: place(sum, size),
        rows,
        columns: rows,
        terms: nodes.map((node) => {
          const x = place(recorder.at(node), rowsOf(node.shape));
          return { a: x, b: transposed(x), depth: columnsOf(node.shape, recorder.samples) };
        }),
      },
    ]);
  // Sums of the inputs are the last column.
  const last = diagonal ? sum + rows : sum + rows * size;
  nodes.forEach((node, k) => {
    const x = recorder.at(node);
    const terms = columnsOf(node.shape, recorder.samples);
    const kept = k > 0 ? 1 : 0;
    columns += terms;
    if (diagonal) recorder.run(ROW_DOTS, rows, [sum, kept, terms, x, x, rows], [1]);
    else if (bias) recorder.run(GATHER, rows, [last, kept, terms, x, rows, 0, rows], [1]);
  });
  if (bias) recorder.run(FILL, 1, [diagonal ? last : last + rows, 0], [columns]);
  const count = diagonal ? size : size * size;
  const factor = of === 'inputs' ? 1 / usesOf(pairs) : 1;
  recorder.run(TAKE_MOMENT, count, [at, sum, keep, share, size, diagonal ? 0 : 1], [factor]);
}
