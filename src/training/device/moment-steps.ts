/**
 * Second moments of layers as launches: Σ x xᵀ of a slice's inputs (with ones where there is a bias) or of drawn
 * errors, or its diagonal, and what a moving average takes of it. Of layers without factors squares of slices' drawn
 * gradients are summed, over outputs or over inputs (../graph/moment-sums.ts has the formulas).
 */
import type { PortableKernel } from '../../device/portable-kernel.js';
import { usesOf, type FactorPair } from '../../layers/factor-pairs.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import { COLUMN_DOTS, FILL, GATHER, map, ROW_DOTS, writing } from '../../tape/device/maps.js';
import { place, transposed, type Recorder } from '../../tape/device/recorder.js';
import { columnsOf, rowsOf } from '../../tape/shape.js';
import { eachCopiedInput, standAsMatrices } from './moment-inputs.js';

/** A moment: of which layer's side, and whether its diagonal alone. */
export interface MomentShape {
  readonly layer: number;
  /**
   * Inputs; drawn errors; of the gradient G (width × outputs) GGᵀ or GᵀG; or squares of the samples' own gradients, all
   * of the layer's numbers.
   */
  readonly of: 'inputs' | 'errors' | 'gradientRows' | 'gradientColumns' | 'squares';
  readonly diagonal: boolean;
}

/** A moment and where it is kept: size × size numbers, or size. */
export interface DeviceMoment extends MomentShape {
  readonly at: number;
}

/** Rows of a side; of squares all numbers. */
export function sizeOf({ of }: Pick<MomentShape, 'of'>, { width, outputs }: LayerBlock): number {
  if (of === 'squares') return width * outputs;
  return of === 'inputs' || of === 'gradientRows' ? width : outputs;
}

/** What x is of a moment y: its diagonal as y is, a matrix whose upper triangle is read, the diagonal of a matrix. */
const FORMS = { diagonal: 0, matrix: 1, ofMatrix: 2 } as const;

/** y ← h[k]·y + factor·h[c]·x. Where h[k] is zero y is not read. */
const TAKE_MOMENT: PortableKernel = {
  ...writing(
    'take a moment',
    ['y', 'x', 'k', 'c', 'size', 'form'],
    `int row = i % size;
int column = i / size;
int at = i;
if (form == 1) { at = min(row, column) + max(row, column) * size; }
if (form == 2) { at = row; }
real result = factor * h[c] * h[x + at];
if (form == 2 && row != column) { result = 0.0; }
if (h[k] != 0.0) { result = result + h[k] * h[y + i]; }
h[y + i] = result;`,
  ),
  reals: ['factor'],
};
/** y ← squares of columns of x, ones behind them. */
const SQUARED_COLUMNS = map(
  'squared columns',
  ['x', 'rows', 'inputs'],
  `int r = i % rows;
result = 1.0;
if (r < inputs) {
  real own = h[x + r + inputs * (i / rows)];
  result = own * own;
}`,
);
/** x ← n·x/Σx, the sum behind the n numbers; ones where it is zero. */
const RELATIVE = writing(
  'relative to the mean',
  ['x', 'n'],
  `real own = 1.0;
if (h[x + n] > 0.0) { own = real(n) * h[x + i] / h[x + n]; }
h[x + i] = own;`,
);

/** Where a moment is made: its sum, and what the average keeps and what it takes of each sample. */
export interface MomentPlaces {
  readonly sum: number;
  readonly keep: number;
  readonly share: number;
}

/** A layer with factors: the uses of its weights, and whether positions that errors do not reach are left out. */
export interface PairedLayer {
  readonly layer: LayerBlock;
  readonly pairs: readonly FactorPair[];
  readonly leavesOut: boolean;
}

/** Records a slice's part of a moment from the uses of the layer's weights. */
export function recordMoment(
  recorder: Recorder,
  { of, diagonal, at }: DeviceMoment,
  own: PairedLayer,
  { sum, keep, share }: MomentPlaces,
): void {
  const { layer, pairs, leavesOut } = own;
  const size = sizeOf({ of }, layer);
  if (of === 'squares') sumSquares(recorder, own, sum);
  else if (of === 'errors' || (standAsMatrices(pairs) && !leavesOut)) sumInPlace(recorder, { of, diagonal }, own, sum);
  else {
    let kept = false;
    for (const pair of pairs)
      eachCopiedInput(recorder, pair, own, (x, columns) => {
        if (diagonal) recorder.run(ROW_DOTS, size, [sum, kept ? 1 : 0, columns, x, x, size], [1]);
        else recorder.sum(kept, [squares(sum, size, [{ x, rows: size, columns }])]);
        kept = true;
      });
  }
  const factor = of === 'inputs' && !leavesOut ? 1 / usesOf(pairs) : 1;
  take(recorder, { at, diagonal, size }, { sum, keep, share }, { form: diagonal ? 'diagonal' : 'matrix', factor });
}

/** A matrix of rows × columns at x. */
interface Columns {
  readonly x: number;
  readonly rows: number;
  readonly columns: number;
}

/** Σ X Xᵀ, all of as many rows, to the beginning of a matrix of `size` rows. */
const squares = (to: number, size: number, matrices: readonly Columns[]) => {
  const { rows } = matrices[0];
  const terms = matrices.map(({ x, columns }) => ({
    a: place(x, rows),
    b: transposed(place(x, rows)),
    depth: columns,
  }));
  return { c: place(to, size), rows, columns: rows, terms };
};

/** The sum of nodes that stand as matrices; with a bias its ones' column is that of sums of the inputs. */
function sumInPlace(
  recorder: Recorder,
  { of, diagonal }: Pick<MomentShape, 'of' | 'diagonal'>,
  { layer, pairs }: PairedLayer,
  sum: number,
): void {
  const size = sizeOf({ of }, layer);
  const bias = of === 'inputs' && layer.bias;
  const rows = bias ? size - 1 : size;
  const matrices = pairs.map(({ input, error }): Columns => {
    const node = of === 'inputs' ? input : error;
    return { x: recorder.at(node), rows: rowsOf(node.shape), columns: columnsOf(node.shape, recorder.samples) };
  });
  recorder.begin();
  if (!diagonal) recorder.sum(false, [squares(sum, size, matrices)]);
  const last = diagonal ? sum + rows : sum + rows * size;
  let all = 0;
  matrices.forEach(({ x, columns }, k) => {
    const kept = k > 0 ? 1 : 0;
    all += columns;
    if (diagonal) recorder.run(ROW_DOTS, rows, [sum, kept, columns, x, x, rows], [1]);
    else if (bias) recorder.run(GATHER, rows, [last, kept, columns, x, rows, 0, rows], [1]);
  });
  if (bias) recorder.run(FILL, 1, [diagonal ? last : last + rows, 0], [all]);
}

/** Σ (x∘x)(δ∘δ)ᵀ over samples: squares of their gradients xδᵀ, of weights that each sample uses once. */
function sumSquares(recorder: Recorder, { layer, pairs: [pair] }: PairedLayer, sum: number): void {
  const { width, inputs, outputs } = layer;
  const { samples } = recorder;
  recorder.begin();
  const x = recorder.scratchAt(0, width * samples);
  const δ = recorder.scratchAt(width * samples, outputs * samples);
  recorder.run(SQUARED_COLUMNS, width * samples, [x, 0, recorder.at(pair.input), width, inputs]);
  recorder.run(SQUARED_COLUMNS, outputs * samples, [δ, 0, recorder.at(pair.error), outputs, outputs]);
  const terms = [{ a: place(x, width), b: transposed(place(δ, outputs)), depth: samples }];
  recorder.sum(false, [{ c: place(sum, width), rows: width, columns: outputs, terms }]);
}

/** Records a slice's squares of a gradient at g, added to sums: of every input, or of every output and a place more. */
export function recordSquares(
  recorder: Recorder,
  { of }: MomentShape,
  { width, outputs }: LayerBlock,
  { g, sum }: { readonly g: number; readonly sum: number },
): void {
  if (of === 'inputs') recorder.run(ROW_DOTS, width, [sum, 1, outputs, g, g, width], [1]);
  else recorder.run(COLUMN_DOTS, outputs, [sum, 1, width, g, g, width], [1]);
}

/** Records a moment of a layer's gradient at g. */
export function recordGradient(
  recorder: Recorder,
  { of, diagonal, at }: DeviceMoment,
  { width, outputs }: LayerBlock,
  { g, ...places }: MomentPlaces & { readonly g: number },
): void {
  const { sum } = places;
  const own = place(g, width);
  const [size, depth, a, b] =
    of === 'gradientRows' ? [width, outputs, own, transposed(own)] : [outputs, width, transposed(own), own];
  recorder.begin();
  if (!diagonal) recorder.sum(false, [{ c: place(sum, size), rows: size, columns: size, terms: [{ a, b, depth }] }]);
  else recorder.run(of === 'gradientRows' ? ROW_DOTS : COLUMN_DOTS, size, [sum, 0, depth, g, g, width], [1]);
  take(recorder, { at, diagonal, size }, places, { form: diagonal ? 'diagonal' : 'matrix', factor: 1 });
}

/** Records what is made of the sums of all slices: the diagonal as a product of rows and columns. */
export function recordDiagonal(
  recorder: Recorder,
  { of, diagonal, at }: DeviceMoment,
  layer: LayerBlock,
  places: MomentPlaces,
): void {
  const size = sizeOf({ of }, layer);
  if (of === 'errors') {
    recorder.run(GATHER, 1, [places.sum + size, 0, size, places.sum, 1, 0, 1], [1]);
    recorder.run(RELATIVE, size, [places.sum, size]);
  }
  const factor = of === 'inputs' ? 1 / layer.outputs : 1;
  take(recorder, { at, diagonal, size }, places, { form: diagonal ? 'diagonal' : 'ofMatrix', factor });
}

function take(
  recorder: Recorder,
  { at, diagonal, size }: Pick<DeviceMoment, 'at' | 'diagonal'> & { readonly size: number },
  { sum, keep, share }: MomentPlaces,
  { form, factor }: { readonly form: keyof typeof FORMS; readonly factor: number },
): void {
  const count = diagonal ? size : size * size;
  recorder.run(TAKE_MOMENT, count, [at, sum, keep, share, size, FORMS[form]], [factor]);
}
