/**
 * Steps of cuSOLVER, and the kernel behind it that tells the outcome as our own kernels do.
 */
import type { Choleskys } from '../../work/triangles.js';
import { stepKernel, type Step } from './step.js';

/** The operand that is where cuSOLVER writes an outcome. */
export const OUTCOME = 'outcome';

/** A step that is a factorization by cuSOLVER, and the one behind it. */
export interface FactorStep {
  readonly triangle: Choleskys['triangles'][number];
  readonly outcome: Step;
}

const THREADS = 256;

/**
 * The first pivot that is not positive, infinite or not a number: by what cuSOLVER says, and by the roots. Where it
 * says that it was handed something wrong (a negative number) nothing was factored: that is told of the first pivot.
 */
const FIRST = `
  __shared__ int firsts[${THREADS}];
  const long long ld = (long long)p.numbers[1];
  const int order = (int)p.numbers[2], told = *(const int*)p.operands[2], thread = threadIdx.x;
  const real* triangle = p.operands[0] + (long long)p.numbers[0];
  int first = told == 0 ? order + 1 : max(told, 1);
  for (int i = thread; i < order && i + 1 < first; i += ${THREADS}) {
    const real root = triangle[i * (ld + 1)];
    if (!(root > 0 && root * 0 == 0)) first = i + 1;
  }
  firsts[thread] = first;
  __syncthreads();
  if (thread != 0) return;
  for (int k = 1; k < ${THREADS}; k++) first = min(first, firsts[k]);
  p.operands[1][(long long)p.numbers[3]] = first > order ? 0 : first;`;

/** The steps of triangles, each a factorization and its outcome. */
export const factorSteps = (triangles: Choleskys['triangles']): FactorStep[] =>
  triangles.map((triangle) => ({
    triangle,
    outcome: {
      kernel: (precision) => stepKernel('outcome', precision, THREADS, FIRST),
      lists: [],
      operands: ['values', 'status', OUTCOME],
      numbers: [triangle.offset, triangle.ld, triangle.order, triangle.status],
      blocks: () => 1,
    },
  }));
