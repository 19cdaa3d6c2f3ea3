/**
 * Inputs of layers' weights that do not stand as a matrix on a device: patches of a convolution's images, and columns
 * of positions that errors reach. They are copied to scratch memory, some columns at a time.
 */
import type { FactorPair } from '../../layers/factor-pairs.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import { GATHER, largest, map, writing } from '../../tape/device/maps.js';
import type { Recorder } from '../../tape/device/recorder.js';
import { geometryOf, isPointwise } from '../../tape/forms/geometry.js';
import { formOf } from '../../tape/primitives/bilinear.js';
import { columnsOf, rowsOf } from '../../tape/shape.js';

/** Numbers that are copied at a time, at least a column. */
const COPIED = 2 ** 22;

const GEOMETRY = ['wide', 'high', 'kw', 'sx', 'sy', 'px', 'py', 'dx', 'dy', 'ow'];
// Column c is pixel c/samples of sample c mod samples: of the taps of its window the channels of a group, zeros outside
// the image, ones behind them.
const PATCHES = map(
  'patches',
  ['x', 'first', 'rows', 'inputs', 'own', 'channels', 'samples', ...GEOMETRY],
  `int r = i % rows;
int c = first + i / rows;
int p = c / samples;
int tap = r / own;
int s = (p % ow) * sx - px + (tap % kw) * dx;
int t = (p / ow) * sy - py + (tap / kw) * dy;
if (r >= inputs) { result = 1.0; }
if (r < inputs && s >= 0 && s < wide && t >= 0 && t < high) {
  result = h[x + r % own + channels * (c % samples + samples * (s + wide * t))];
}`,
);
const REACHED_COLUMNS = map(
  'reached columns',
  ['x', 'reached', 'first', 'rows', 'inputs'],
  `int r = i % rows;
int c = first + i / rows;
if (h[reached + c] > 0.0) {
  result = 1.0;
  if (r < inputs) { result = h[x + r + inputs * c]; }
}`,
);
/** y_c ← 1 where a number of column c is not zero, else 0. */
const REACHED = largest('reached', ['x', 'rows'], 'value = select(0.0, 1.0, h[x + i * rows + k] != 0.0);');
/** y ← h[s] over the number at c, one at least. */
const SHARE_OF_COLUMNS = writing('share of columns', ['y', 'c', 's'], 'h[y + i] = h[s] / max(1.0, h[c + i]);');

/** Whether the inputs of all uses stand as matrices: those of dense layers, and of windows of one pixel. */
export const standAsMatrices = (pairs: readonly FactorPair[]): boolean =>
  pairs.every(
    ({ product }) =>
      formOf(product) === 'dense' ||
      (product.attributes['groups'] === 1 && isPointwise(geometryOf(product.attributes))),
  );

/** Which columns errors reach, at the beginning of the scratch memory. */
function markReached(recorder: Recorder, { error }: FactorPair, columns: number): number {
  const rows = rowsOf(error.shape);
  const to = recorder.scratchAt(0, columns);
  recorder.run(REACHED, columns, [to, rows, recorder.at(error), rows]);
  return to;
}

/**
 * The number at `count` ← itself + how many columns of all uses errors reach; the one behind it ← that at `share` over
 * the sum.
 */
export function countReached(recorder: Recorder, pairs: readonly FactorPair[], count: number, share: number): void {
  for (const pair of pairs) {
    recorder.begin();
    const columns = columnsOf(pair.error.shape, recorder.samples);
    const reached = markReached(recorder, pair, columns);
    recorder.run(GATHER, 1, [count, 1, columns, reached, 1, 0, 1], [1]);
  }
  recorder.run(SHARE_OF_COLUMNS, 1, [count + 1, count, share]);
}

/**
 * Visits the inputs of a use, a convolution's group by group, as matrices of the layer's width; with `leavesOut`
 * columns that no error reaches are zero, ones too. A matrix stands until the visitor returns.
 */
export function eachCopiedInput(
  recorder: Recorder,
  pair: FactorPair,
  { layer: { width, inputs }, leavesOut }: { readonly layer: LayerBlock; readonly leavesOut: boolean },
  visit: (at: number, columns: number) => void,
): void {
  const { product, input } = pair;
  const { samples } = recorder;
  const columns = columnsOf(pair.error.shape, samples);
  const x = recorder.at(input);
  recorder.begin();
  const marks = leavesOut ? columns : 0;
  const reached = leavesOut ? markReached(recorder, pair, columns) : 0;
  const most = Math.min(columns, Math.max(1, Math.floor(COPIED / width)));
  const groups = formOf(product) === 'dense' ? 1 : (product.attributes['groups'] as number);
  for (let group = 0; group < groups; group++)
    for (let first = 0; first < columns; first += most) {
      const count = Math.min(most, columns - first);
      recorder.begin();
      const to = recorder.scratchAt(marks, width * count);
      if (leavesOut) recorder.run(REACHED_COLUMNS, width * count, [to, 0, x, reached, first, width, inputs]);
      else {
        const g = geometryOf(product.attributes);
        const channels = rowsOf(input.shape);
        const own = channels / groups;
        const sizes = [g.width, g.height, g.kernelWidth, g.strideX, g.strideY, g.padX, g.padY];
        const places = [to, 0, x + group * own, first, width, inputs, own, channels, samples];
        recorder.run(PATCHES, width * count, [...places, ...sizes, g.dilationX, g.dilationY, g.outWidth]);
      }
      visit(to, count);
    }
}
