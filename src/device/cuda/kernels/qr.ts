/**
 * QR by Householder reflections, a block of threads for each: warps take columns, their threads rows. Reflections stand
 * below the diagonal as they are made, R goes to its place row by row; then Q takes the reflections' place, from the
 * last column to the first.
 */
import { listsOfQrs, QR_WORDS, type Qrs } from '../../work/qr.js';
import { stepKernel, type Step } from './step.js';

/** Threads of a block. */
export const THREADS = 256;
/** Warps of a block. */
export const WARPS = THREADS / 32;

/** Sums what the threads of a warp have. */
export const WARP_SUM = (value: string): string =>
  `for (int mask = 16; mask > 0; mask /= 2) ${value} += __shfl_xor_sync(~0u, ${value}, mask);`;

/**
 * Reflection k of a column by all threads, with `sum` 0 before: its `tau`, `beta` at row k, and below it the vector,
 * whose first number is 1, in place.
 */
export const MAKE_REFLECTION = (k: string): string => `
    for (int i = ${k} + 1 + thread; i < rows; i += ${THREADS}) sum += column[i] * column[i];
    ${WARP_SUM('sum')}
    if (lane == 0) part[warp] = sum;
    __syncthreads();
    sum = 0;
    for (int w = 0; w < ${WARPS}; w++) sum += part[w];
    const real alpha = column[${k}];
    real beta = alpha, tau = 0, scale = 0;
    if (sum > 0) {
      beta = alpha > 0 ? -sqrt(alpha * alpha + sum) : sqrt(alpha * alpha + sum);
      tau = (beta - alpha) / beta;
      scale = 1 / (alpha - beta);
    }
    __syncthreads();
    for (int i = ${k} + 1 + thread; i < rows; i += ${THREADS}) column[i] *= scale;`;

/** Columns behind column k: what reflection k makes of them. `start` is what row k of a column holds. */
const REFLECT = (start: string, end: string): string => `
    for (int c = k + 1 + warp; c < columns; c += ${WARPS}) {
      real* other = a + c * ld;
      real dot = lane == 0 ? ${start} : (real)0;
      for (int i = k + 1 + lane; i < rows; i += 32) dot += column[i] * other[i];
      ${WARP_SUM('dot')}
      dot *= tau;
      for (int i = k + 1 + lane; i < rows; i += 32) other[i] -= dot * column[i];
      if (lane == 0) ${end}
    }`;

const QR = `
  __shared__ real part[${WARPS}];
  const double* block = p.lists[0] + ${QR_WORDS}ll * blockIdx.x;
  real* a = p.operands[0] + word(block, 0);
  real* r = p.operands[1] + word(block, 4);
  const long long ld = word(block, 1), step = word(block, 5);
  const int rows = word(block, 2), columns = word(block, 3), thread = threadIdx.x;
  const int lane = thread % 32, warp = thread / 32;
  for (int k = 0; k < columns; k++) {
    real* column = a + k * ld;
    real sum = 0;
    ${MAKE_REFLECTION('k')}
    for (int i = k + 1 + thread; i < columns; i += ${THREADS}) r[i + k * step] = 0;
    if (thread == 0) {
      column[k] = tau;
      r[k + k * step] = beta;
    }
    __syncthreads();
    ${REFLECT('other[k]', 'r[k + c * step] = other[k] - dot;')}
    __syncthreads();
  }
  for (int k = columns - 1; k >= 0; k--) {
    real* column = a + k * ld;
    const real tau = column[k];
    ${REFLECT('(real)0', 'other[k] = -dot;')}
    __syncthreads();
    for (int i = thread; i < rows; i += ${THREADS}) column[i] = i < k ? 0 : i == k ? 1 - tau : -tau * column[i];
    __syncthreads();
  }`;

/** QR factorizations: one step. */
export const qrSteps = (work: Qrs): Step[] =>
  work.blocks.length === 0
    ? []
    : [
        {
          kernel: (precision) => stepKernel('qr', precision, THREADS, QR),
          lists: [listsOfQrs(work)['blocks']],
          operands: ['values', 'triangles'],
          numbers: [],
          blocks: () => work.blocks.length,
        },
      ];
