/**
 * ‖K‖_F before anything is compressed: what relative tolerances and errors are relative to. Layer 5.
 */
import { NonFiniteError } from '../core/errors.js';
import { RandomStream } from '../core/random.js';
import type { FloatArray } from '../dense/matrix.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { columnSums } from './sampled-columns.js';

const NORM_COLUMNS = 32;
const NORM_STREAM = 0x4042;
/** Below it, squares of numbers at the rounding of the largest vanish. */
const LEAST_SQUARE = 2 ** -1022 / Number.EPSILON ** 2;

/** Ranks are found from squares of entries: throws NonFiniteError where these overflow, or vanish though some of `values` (entries of the matrix) are not zero. */
export function requireRange(normSquared: number, values: FloatArray): void {
  if (Number.isFinite(normSquared) && normSquared >= LEAST_SQUARE) return;
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (normSquared === 0 && largest === 0) return;
  throw new NonFiniteError(`The squares of this matrix's entries ${normSquared < 1 ? 'vanish below' : 'overflow'} the range of float64 (they are as large as ${largest}): scale it, by ${(1 / largest).toPrecision(2)} say.`, { largest, normSquared });
}

/**
 * ‖K‖_F² of a positive semidefinite K: the diagonal exactly, the rest from 32 columns (all where there are no more), column j drawn with probability K_jj/trace K, one from each of 32
 * equal shares of the trace. Since ‖K e_j‖² ≤ ‖K‖₂·K_jj no column weighs more than ‖K‖₂·trace K, however unlike the columns are.
 */
export async function estimateNorm(source: EntrySource, diagonal: Float64Array, seed: number, control: TeamControl): Promise<number> {
  const { size } = source;
  const squares = diagonal.reduce((sum, d) => sum + d * d, 0);
  const trace = diagonal.reduce((sum, d) => sum + Math.max(0, d), 0);
  if (trace === 0) return squares;
  const every = size <= NORM_COLUMNS;
  const columns = every ? Int32Array.from({ length: size }, (_, j) => j) : columnsByDiagonal(diagonal, trace, new RandomStream(seed, NORM_STREAM));
  const { exact } = await columnSums(source, columns, columns.length, [], 'estimate norm', control);
  let outside = 0;
  columns.forEach((j, q) => { outside += Math.max(0, exact[q] - diagonal[j] * diagonal[j]) * (every ? 1 : trace / (NORM_COLUMNS * diagonal[j])); });
  return squares + outside;
}

/** Ascending; a column that holds more than a share of the trace may stand there more than once. */
function columnsByDiagonal(diagonal: Float64Array, trace: number, random: RandomStream): Int32Array {
  const columns = new Int32Array(NORM_COLUMNS);
  let j = 0;
  let below = 0;
  let last = diagonal.length - 1;
  while (!(diagonal[last] > 0)) last--;
  for (let t = 0; t < NORM_COLUMNS; t++) {
    const place = ((t + random.uniform()) / NORM_COLUMNS) * trace;
    // Rounding of the sum may leave the last place beyond it.
    while (j < last && !(below + Math.max(0, diagonal[j]) > place)) below += Math.max(0, diagonal[j++]);
    columns[t] = j;
  }
  return columns;
}
