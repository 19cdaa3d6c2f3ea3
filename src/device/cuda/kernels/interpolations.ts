/**
 * Interpolative decompositions by Householder QR with column pivoting, a block of threads for each: warps take columns,
 * their threads rows. Columns stay where they are; what is left of their norms is formed anew with every reflection,
 * of which nothing cancels. T = R₁₁⁻¹·R₁₂ by back substitution, a thread for each of its columns.
 */
import { ROUNDOFF } from '../../../core/floats.js';
import {
  INTERPOLATION_WORDS,
  listsOfInterpolations,
  MOST_COLUMNS,
  NOISE,
  type Interpolations,
} from '../../work/interpolations.js';
import { MAKE_REFLECTION, THREADS, WARP_SUM, WARPS } from './qr.js';
import { stepKernel, type Step } from './step.js';

const INTERPOLATE = (noise: number): string => `
  __shared__ real norms[${MOST_COLUMNS}], largest[${THREADS}], sums[${THREADS}], part[${WARPS}];
  __shared__ int columnAt[${MOST_COLUMNS}], places[${THREADS}];
  const double* block = p.lists[0] + ${INTERPOLATION_WORDS}ll * blockIdx.x;
  real* a = p.operands[0] + word(block, 0);
  real* order = p.operands[1] + word(block, 5);
  real* interpolation = p.operands[2] + word(block, 6);
  real* outcome = p.operands[3] + word(block, 8);
  const long long ld = word(block, 1), step = word(block, 7);
  const int rows = word(block, 2), columns = word(block, 3), most = word(block, 4), thread = threadIdx.x;
  const int lane = thread % 32, warp = thread / 32;
  for (int c = warp; c < columns; c += ${WARPS}) {
    real sum = 0;
    for (int i = lane; i < rows; i += 32) sum += a[i + c * ld] * a[i + c * ld];
    ${WARP_SUM('sum')}
    if (lane == 0) norms[c] = sum;
  }
  __syncthreads();
  real target = (real)p.lists[1][blockIdx.x], total = 0;
  target *= target;
  int rank = 0;
  for (;; rank++) {
    // The column with most left, and what is left of all; −1 marks those that are chosen.
    real own = -1, sum = 0;
    int place = columns;
    for (int c = thread; c < columns; c += ${THREADS}) {
      if (norms[c] == -1) continue;
      sum += norms[c];
      if (norms[c] > own) { own = norms[c]; place = c; }
    }
    largest[thread] = own;
    sums[thread] = sum;
    places[thread] = place;
    __syncthreads();
    for (int half = ${THREADS / 2}; half > 0; half /= 2) {
      if (thread < half) {
        const real other = largest[thread + half];
        sums[thread] += sums[thread + half];
        if (other > largest[thread] || (other == largest[thread] && places[thread + half] < places[thread])) {
          largest[thread] = other;
          places[thread] = places[thread + half];
        }
      }
      __syncthreads();
    }
    total = sums[0];
    const int pivot = places[0];
    if (rank == 0) target = max(target, total * (real)${noise ** 2});
    if (rank == most || !(total > target)) break;
    real* column = a + pivot * ld;
    sum = 0;
    ${MAKE_REFLECTION('rank')}
    if (thread == 0) {
      column[rank] = beta;
      columnAt[rank] = pivot;
      norms[pivot] = -1;
    }
    __syncthreads();
    for (int c = warp; c < columns; c += ${WARPS}) {
      if (norms[c] == -1) continue;
      real* other = a + c * ld;
      real dot = lane == 0 ? other[rank] : (real)0, left = 0;
      for (int i = rank + 1 + lane; i < rows; i += 32) dot += column[i] * other[i];
      ${WARP_SUM('dot')}
      dot *= tau;
      for (int i = rank + 1 + lane; i < rows; i += 32) {
        other[i] -= dot * column[i];
        left += other[i] * other[i];
      }
      ${WARP_SUM('left')}
      if (lane == 0) {
        other[rank] -= dot;
        norms[c] = left;
      }
    }
    __syncthreads();
  }
  if (thread == 0) {
    int next = rank;
    for (int c = 0; c < columns; c++) if (norms[c] != -1) columnAt[next++] = c;
    outcome[0] = rank;
    // The difference of infinities is no number.
    outcome[1] = sqrt(total) + (total - total);
  }
  __syncthreads();
  for (int j = thread; j < columns; j += ${THREADS}) order[j] = columnAt[j];
  for (int j = thread; j < columns - rank; j += ${THREADS}) {
    const real* right = a + columnAt[rank + j] * ld;
    real* t = interpolation + j * step;
    for (int q = rank - 1; q >= 0; q--) {
      real value = right[q];
      for (int s = q + 1; s < rank; s++) value -= a[q + columnAt[s] * ld] * t[s];
      t[q] = value / a[q + columnAt[q] * ld];
    }
  }`;

/** Interpolative decompositions: one step. */
export function interpolationSteps(work: Interpolations): Step[] {
  if (work.blocks.length === 0) return [];
  const { blocks, thresholds } = listsOfInterpolations(work);
  return [
    {
      kernel: (precision) => stepKernel('interpolate', precision, THREADS, INTERPOLATE(NOISE * ROUNDOFF[precision])),
      lists: [blocks, thresholds],
      operands: ['values', 'order', 'interpolations', 'outcomes'],
      numbers: [],
      blocks: () => work.blocks.length,
    },
  ];
}
