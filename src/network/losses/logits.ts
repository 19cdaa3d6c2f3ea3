/**
 * Exponentials of logits, a run of columns at a time through small arrays, where the exponential is vectorised.
 * The largest logit of a column is subtracted (softmax), or e^{−|f|} taken (logistic), so that nothing overflows.
 */
import { expInPlace } from '../../dense/elementwise.js';
import type { FloatArray, Matrix } from '../../dense/matrix.js';

/** Entries at a time, where columns are shorter than that. */
const CHUNK = 2048;

/**
 * Called with columns [first, first + count) of f: their arguments of the exponential and the exponentials, contiguous.
 */
type Visit = (first: number, count: number, x: Float64Array, e: Float64Array) => void;

/** Runs of columns of f with x = the arguments that `exponent` writes, and e = exp(x). */
function byColumns(
  f: Matrix,
  exponent: (f: FloatArray, at: number, rows: number, x: Float64Array, to: number) => void,
  visit: Visit,
): void {
  const { rows, cols } = f;
  const columns = Math.max(1, Math.floor(CHUNK / Math.max(1, rows)));
  const x = new Float64Array(Math.min(columns, cols) * rows);
  const e = new Float64Array(x.length);
  for (let first = 0; first < cols; first += columns) {
    const count = Math.min(columns, cols - first);
    for (let c = 0; c < count; c++) exponent(f.data, f.offset + (first + c) * f.ld, rows, x, c * rows);
    e.set(x);
    expInPlace(e, 0, count * rows);
    visit(first, count, x, e);
  }
}

function belowLargest(f: FloatArray, at: number, rows: number, x: Float64Array, to: number): void {
  let largest = -Infinity;
  for (let k = at; k < at + rows; k++) if (f[k] > largest) largest = f[k];
  for (let k = 0; k < rows; k++) x[to + k] = f[at + k] - largest;
}

function minusMagnitude(f: FloatArray, at: number, rows: number, x: Float64Array, to: number): void {
  for (let k = 0; k < rows; k++) x[to + k] = -Math.abs(f[at + k]);
}

/** x = f − max f of each column, e = exp(x): softmax is e/Σe, −log softmax is log Σe − x. */
export const softmaxColumns = (f: Matrix, visit: Visit): void => byColumns(f, belowLargest, visit);

/** x = −|f|, e = exp(x): σ(|f|) = 1/(1 + e), log(1 + exp f) = max(f, 0) + log(1 + e). */
export const logisticColumns = (f: Matrix, visit: Visit): void => byColumns(f, minusMagnitude, visit);
