/**
 * Softmax of columns, and normalizations over rows or columns, as launches.
 */
import type { PortableKernel } from '../../device/portable-kernel.js';
import type { Node } from '../node.js';
import type { NormalizeSettings } from '../primitives/normalize.js';
import { columnsOf, rowsOf, type Shape } from '../shape.js';
import { largest, map, reduction, ROW_DOTS, COLUMN_DOTS, GATHER } from './maps.js';
import type { Lowering, Recorder } from './recorder.js';

const COLUMN_MAXIMUM = largest('column maximum', ['x', 'rows'], 'value = h[x + i * rows + k];');
const SUM_OF_POWERS = reduction('sum of powers', ['x', 'm', 'rows'], 'value = exp(h[x + i * rows + k] - h[m + i]);');
const SHARE_OF_POWERS = map(
  'share of powers',
  ['x', 'm', 's', 'rows'],
  'result = exp(h[x + i] - h[m + i / rows]) / h[s + i / rows];',
);
const LOG_SUM = map('log sum', ['m', 's'], 'result = h[m + i] + log(h[s + i]);');

/** The largest number of each column, and the sum of e^(x − it): two arrays in scratch memory. */
function powers(recorder: Recorder, x: Node): { m: number; s: number; rows: number; columns: number } {
  const [rows, columns] = [rowsOf(x.shape), columnsOf(x.shape, recorder.samples)];
  const m = recorder.scratchAt(0, columns);
  const s = recorder.scratchAt(columns, columns);
  const at = recorder.at(x);
  recorder.run(COLUMN_MAXIMUM, columns, [m, rows, at, rows]);
  recorder.run(SUM_OF_POWERS, columns, [s, 0, rows, at, m, rows], [1]);
  return { m, s, rows, columns };
}

/** Softmax. */
export const softmax: Lowering = (recorder, node) => {
  const [x] = node.inputs;
  const { m, s, rows, columns } = powers(recorder, x);
  recorder.run(SHARE_OF_POWERS, rows * columns, [recorder.at(node), 0, recorder.at(x), m, s, rows]);
};

/** Log-sum-exp. */
export const logSumExp: Lowering = (recorder, node) => {
  const { m, s, columns } = powers(recorder, node.inputs[0]);
  recorder.run(LOG_SUM, columns, [recorder.at(node), 0, m, s]);
};

/** How numbers of x are counted that have one statistic: x's number for k of statistic i is i·own + k·step. */
interface Over {
  readonly count: number;
  readonly terms: number;
  readonly own: number;
  readonly step: number;
  /** The statistic of number i of x: (i/divisor) mod count. */
  readonly divisor: number;
}

function overOf(shape: Shape, over: NormalizeSettings['over'], samples: number): Over {
  const [rows, columns] = [rowsOf(shape), columnsOf(shape, samples)];
  return over === 'columns'
    ? { count: rows, terms: columns, own: 1, step: rows, divisor: 1 }
    : { count: columns, terms: rows, own: rows, step: 1, divisor: rows };
}

const settingsOf = ({ attributes }: Node): NormalizeSettings => attributes as unknown as NormalizeSettings;

const SQUARED_DEVIATIONS: PortableKernel = {
  name: 'reciprocal deviation',
  buffers: ['h'],
  integers: ['y', 'terms', 'x', 'm', 'centered', 'own', 'step'],
  reals: ['factor', 'epsilon'],
  sum: {
    terms: 'terms',
    text: `value = h[x + i * own + k * step];
if (centered > 0) { value = value - h[m + i]; }
value = value * value;`,
    join: 'sum',
  },
  body: 'h[y + i] = 1.0 / sqrt(factor * total + epsilon);',
};
const NORMALIZED = map(
  'normalize',
  ['x', 'r', 'm', 'centered', 'divisor', 'statistics'],
  `int j = (i / divisor) % statistics;
result = h[x + i];
if (centered > 0) { result = result - h[m + j]; }
result = h[r + j] * result;`,
);
const NORMALIZED_TANGENT = map(
  'normalize tangent',
  ['w', 'r', 'v', 'd', 'm', 'centered', 'divisor', 'statistics'],
  `int j = (i / divisor) % statistics;
result = h[v + i] - h[w + i] * h[d + j];
if (centered > 0) { result = result - h[m + j]; }
result = h[r + j] * result;`,
);

/** Means of x in scratch memory. */
function means(recorder: Recorder, x: number, over: Over, place: number): number {
  const m = recorder.scratchAt(place * over.count, over.count);
  const [modulus, jump] = over.own === 1 ? [over.count, 0] : [1, over.own];
  recorder.run(GATHER, over.count, [m, 0, over.terms, x, modulus, jump, over.step], [1 / over.terms]);
  return m;
}

/** r of x. */
export const reciprocalDeviation: Lowering = (recorder, node) => {
  const { over: along, centered, epsilon } = settingsOf(node);
  const [x] = node.inputs;
  const over = overOf(x.shape, along, recorder.samples);
  const at = recorder.at(x);
  const m = centered ? means(recorder, at, over, 0) : 0;
  const integers = [recorder.at(node), over.terms, at, m, centered ? 1 : 0, over.own, over.step];
  recorder.run(SQUARED_DEVIATIONS, over.count, integers, [1 / over.terms, epsilon]);
};

/** y of (x, r). */
export const normalize: Lowering = (recorder, node) => {
  const { over: along, centered } = settingsOf(node);
  const [x, r] = node.inputs.map((input) => recorder.at(input));
  const over = overOf(node.shape, along, recorder.samples);
  const m = centered ? means(recorder, x, over, 0) : 0;
  const integers = [recorder.at(node), 0, x, r, m, centered ? 1 : 0, over.divisor, over.count];
  recorder.run(NORMALIZED, over.count * over.terms, integers);
};

/** N of (y, r, v). */
export const normalizeTangent: Lowering = (recorder, node) => {
  const { over: along, centered } = settingsOf(node);
  const [y, r, v] = node.inputs.map((input) => recorder.at(input));
  const over = overOf(node.shape, along, recorder.samples);
  const rows = rowsOf(node.shape);
  const d = recorder.scratchAt(over.count, over.count);
  const dots = along === 'columns' ? ROW_DOTS : COLUMN_DOTS;
  recorder.run(dots, over.count, [d, 0, over.terms, y, v, rows], [1 / over.terms]);
  const m = centered ? means(recorder, v, over, 0) : 0;
  const integers = [recorder.at(node), 0, y, r, v, d, m, centered ? 1 : 0, over.divisor, over.count];
  recorder.run(NORMALIZED_TANGENT, over.count * over.terms, integers);
};
