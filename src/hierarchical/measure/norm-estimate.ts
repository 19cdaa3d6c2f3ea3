/**
 * ‖K‖_F before anything is compressed: what relative tolerances and errors are relative to.
 */
import { RandomStream } from '../../core/random.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { diagonalSums, type DiagonalSums } from '../../source/diagonal-sums.js';
import { RUN, runOf, type Diagonal } from '../../source/diagonal.js';
import type { EntrySource } from '../../source/entry-source.js';
import { columnNorms, unitVectors } from './sampled-columns.js';

/** Columns that ‖K‖_F is estimated from. */
export const NORM_COLUMNS = 32;
const NORM_STREAM = 0x4042;
/**
 * ‖K‖_F² of a positive semidefinite K: the diagonal exactly, the rest from 32 columns (all where there are no more),
 * column j drawn with probability K_jj/trace K, one from each of 32 equal shares of the trace. Entries must be of a
 * size whose squares stay within the range (source/unit-source.ts). Since ‖K e_j‖² ≤ ‖K‖₂·K_jj no column weighs more
 * than ‖K‖₂·trace K, however unlike the columns are. Pass the diagonal's sums where they are known.
 */
export async function estimateNorm(
  source: EntrySource,
  diagonal: Diagonal,
  seed: number,
  control: TeamControl,
  sums = diagonalSums(diagonal),
): Promise<number> {
  const { size } = source;
  const { trace, squares } = sums;
  if (trace === 0) return squares;
  const every = size <= NORM_COLUMNS;
  const columns = every
    ? Int32Array.from({ length: size }, (_, j) => j)
    : columnsByDiagonal(diagonal, sums, new RandomStream(seed, NORM_STREAM));
  const own = Float64Array.from(columns, (j) => diagonal.part(j, j + 1)[0]);
  const phase = 'estimate norm';
  const { exact } = await columnNorms(source, unitVectors(columns), [], { width: columns.length, phase }, control);
  let outside = 0;
  columns.forEach((_, q) => {
    const weight = every ? 1 : trace / (NORM_COLUMNS * own[q]);
    outside += Math.max(0, exact[q] ** 2 - own[q] * own[q]) * weight;
  });
  return squares + outside;
}

/** Ascending; a column that holds more than a share of the trace may stand there more than once. */
function columnsByDiagonal(diagonal: Diagonal, { traces, trace }: DiagonalSums, random: RandomStream): Int32Array {
  const columns = new Int32Array(NORM_COLUMNS);
  let lastRun = traces.length - 1;
  while (traces[lastRun] === 0) lastRun--;
  let run = 0;
  let belowRun = 0;
  for (let t = 0; t < NORM_COLUMNS; t++) {
    const place = ((t + random.uniform()) / NORM_COLUMNS) * trace;
    // Rounding of the sum may leave the last place beyond it.
    while (run < lastRun && (traces[run] === 0 || traces[run] <= place - belowRun)) belowRun += traces[run++];
    const values = runOf(diagonal, run);
    let last = values.length - 1;
    while (!(values[last] > 0)) last--;
    let j = 0;
    for (let sum = 0; j < last; j++) {
      if (values[j] > 0) sum += values[j];
      if (sum > place - belowRun) break;
    }
    columns[t] = run * RUN + j;
  }
  return columns;
}
