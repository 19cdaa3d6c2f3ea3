/**
 * Activations over arrays and views. Entries go in double precision through small arrays that stay in cache, where the
 * exponential is vectorised; results are rounded to the arrays' precision, and an entry's bits do not depend on where
 * it stands. Errors measured against 60 digits, in units of 2⁻⁵²: at most 4 relative for tanh, sigmoid, softplus and
 * their derivatives (sigmoid″ near its zero at 0: 1 absolute); GELU at most 1 + |z| absolute, its derivatives 1, all of
 * them 1 + z²/2 relative in the tail z < −3 where Φ vanishes.
 */
import { expInPlace } from '../../dense/elementwise.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import type { ActivationArrays } from './activation.js';
import { ACTIVATION_TABLE, type ActivationName } from './table.js';

/** Entries that go through the scratch arrays at a time: three of 16 KiB. */
const CHUNK = 2048;
const abscissae = new Float64Array(CHUNK);
const exponentials = new Float64Array(CHUNK);
const values = new Float64Array(CHUNK);

function copyRun(x: FloatArray, from: number, y: FloatArray, to: number, count: number): void {
  if (count >= 32) y.set(x.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) y[to + i] = x[from + i];
}

/**
 * a ← φ(z) on views of equal shape; φ′ and φ″ into contiguous arrays from position 0. Runs of whole columns, or parts
 * of long ones, at a time.
 */
function activateView(
  name: ActivationName,
  z: Matrix,
  a: Matrix,
  slope: FloatArray | null,
  curvature: FloatArray | null,
): void {
  const { exponent, evaluate } = ACTIVATION_TABLE[name];
  const contiguous = z.ld === z.rows && a.ld === a.rows;
  const rows = contiguous ? z.rows * z.cols : z.rows;
  const cols = contiguous ? 1 : z.cols;
  const span = Math.min(rows, CHUNK);
  const arrays: ActivationArrays = { n: 0, x: abscissae, e: exponentials, y: values, slope, curvature, at: 0 };
  const columns = Math.max(1, Math.floor(CHUNK / Math.max(1, rows)));
  for (let j = 0; j < cols; j += columns) {
    const together = Math.min(columns, cols - j);
    for (let i = 0; i < rows; i += span) {
      const height = Math.min(span, rows - i);
      const n = height * together;
      for (let c = 0; c < together; c++) copyRun(z.data, z.offset + i + (j + c) * z.ld, abscissae, c * height, height);
      if (exponent !== null) {
        exponent(n, abscissae, exponentials);
        expInPlace(exponentials, 0, n);
      }
      arrays.n = n;
      arrays.at = i + j * rows;
      evaluate(arrays);
      for (let c = 0; c < together; c++) copyRun(values, c * height, a.data, a.offset + i + (j + c) * a.ld, height);
    }
  }
}

/** a ← φ(z), slope ← φ′(z), curvature ← φ″(z), elementwise on arrays of equal length; a may be z itself. */
export function activate(
  name: ActivationName,
  z: FloatArray,
  a: FloatArray,
  slope: FloatArray | null,
  curvature: FloatArray | null,
): void {
  activateView(name, view(z, 0, z.length, 1), view(a, 0, a.length, 1), slope, curvature);
}

/** In place on a view: Z ← φ(Z), with φ′(Z) and φ″(Z), where asked, into contiguous arrays of rows·cols entries. */
export function activateInPlace(
  name: ActivationName,
  z: Matrix,
  slope: FloatArray | null,
  curvature: FloatArray | null,
): void {
  if (ACTIVATION_TABLE[name].identity && slope === null && curvature === null) return;
  activateView(name, z, z, slope, curvature);
}
