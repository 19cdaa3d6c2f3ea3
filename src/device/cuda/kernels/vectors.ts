/**
 * Combinations and inner products of rows of vectors. An inner product is summed in two steps: blocks of threads sum
 * PARTIAL_ROWS rows of each column, their threads' sums two by two; then one sums those of a product alike.
 */
import type { Precision } from '../../../core/floats.js';
import {
  INNER_PRODUCT_WORDS,
  isReplaced,
  partialSums,
  type Coefficient,
  type Combination,
  type InnerProducts,
} from '../../work/vectors.js';
import type { KernelSource } from './source.js';
import { SCRATCH, stepKernel, type Step } from './step.js';

const THREADS = 256;
/** Numbers of a block of threads of a combination. */
const NUMBERS = 4 * THREADS;
/** A row that is none. */
const NONE = -1;

/** Numbers: first rows of X and Y, rows, then of α and of β constant, numerator, denominator. */
function combination(
  {
    scalars,
    diagonal,
    replaced,
    positive,
  }: {
    readonly scalars: boolean;
    readonly diagonal: boolean;
    readonly replaced: boolean;
    /** Of α and of β. */
    readonly positive: readonly [boolean, boolean];
  },
  precision: Precision,
): KernelSource {
  // A sum that is infinite or no number, less itself, is not zero.
  const isPositive = 'above > 0 && below > 0 && (above + below) - (above + below) == 0';
  const factor = (name: string, at: number, guarded: boolean): string => `
    real ${name} = p.numbers[${at}];
    ${
      scalars
        ? `{
      const long long row = p.numbers[${at + 1}], other = p.numbers[${at + 2}];
      const real above = row >= 0 ? p.operands[2][row * p.width + q] : (real)1;
      const real below = other >= 0 ? p.operands[2][other * p.width + q] : (real)1;
      ${name} = ${guarded ? isPositive : 'below != 0'} ? ${name} * above / below : (real)0;
    }`
        : ''
    }`;
  const guards = positive.map((guarded, i) => (guarded ? `_positive${i}` : '')).join('');
  const parts = Object.entries({ scalars, diagonal, replaced }).map(([part, has]) => (has ? `_${part}` : ''));
  const name = `combination${parts.join('')}${guards}`;
  return stepKernel(
    name,
    precision,
    THREADS,
    `
  const long long end = (long long)p.numbers[2] * p.width;
  for (int n = threadIdx.x; n < ${NUMBERS}; n += ${THREADS}) {
    const long long e = (long long)blockIdx.x * ${NUMBERS} + n;
    if (e >= end) return;
    ${scalars ? 'const long long q = e % p.width;' : ''}
    real* y = p.operands[1] + (long long)p.numbers[1] * p.width + e;
    ${factor('alpha', 3, positive[0])}
    real value = alpha * p.operands[0][(long long)p.numbers[0] * p.width + e];
    ${diagonal ? `value *= p.operands[${scalars ? 3 : 2}][e / p.width];` : ''}
    ${replaced ? '' : `${factor('beta', 6, positive[1])}\n    value += beta * *y;`}
    *y = value;
  }`,
  );
}

/** The launch. */
export function combinationSteps(work: Combination): Step[] {
  const { x, y, count, alpha, beta, diagonal = false } = work;
  if (count === 0) return [];
  const words = ({ constant, numerator = NONE, denominator = NONE }: Coefficient): number[] => [
    constant,
    numerator,
    denominator,
  ];
  const scalars = [alpha, beta].some(({ numerator, denominator }) => (numerator ?? denominator) !== undefined);
  const positive = [alpha.positive === true, beta.positive === true] as const;
  const shape = { scalars, diagonal, replaced: isReplaced(work), positive };
  return [
    {
      kernel: (precision) => combination(shape, precision),
      lists: [],
      operands: ['x', 'y', ...(scalars ? ['scalars'] : []), ...(diagonal ? ['diagonal'] : [])],
      numbers: [x, y, count, ...words(alpha), ...words(beta)],
      blocks: (width) => Math.ceil((count * width) / NUMBERS),
    },
  ];
}

/** Columns that a block of threads sums side by side, and such blocks for all. */
const acrossOf = (width: number): 1 | 16 => (width < 8 ? 1 : 16);

/** Sums of columns, of X or of products of X and Y. */
function sums(across: 1 | 16, products: boolean, precision: Precision): KernelSource {
  const out = products ? 2 : 1;
  return stepKernel(
    `sums_${across}${products ? '_products' : ''}`,
    precision,
    THREADS,
    `
  __shared__ real partial[${THREADS}];
  const long long layers = (p.width + ${across - 1}) / ${across};
  const double* part = p.lists[0] + ${INNER_PRODUCT_WORDS} * (blockIdx.x / layers);
  const long long column = blockIdx.x % layers * ${across} + threadIdx.x % ${across};
  const long long count = word(part, 2);
  const int thread = threadIdx.x;
  real sum = 0;
  for (long long i = thread / ${across}; i < count && column < p.width; i += ${THREADS / across}) {
    const real value = p.operands[0][(word(part, 0) + i) * p.width + column];
    sum += ${products ? 'value * p.operands[1][(word(part, 1) + i) * p.width + column]' : 'value'};
  }
  partial[thread] = sum;
  __syncthreads();
  for (int half = ${THREADS / 2}; half >= ${across}; half /= 2) {
    if (thread < half) partial[thread] += partial[thread + half];
    __syncthreads();
  }
  if (thread < ${across} && column < p.width) p.operands[${out}][word(part, 3) * p.width + column] = partial[thread];`,
  );
}

/** The launch: partial sums go to rows of `scratch`. */
export function innerProductSteps(work: InnerProducts): Step[] {
  const { partials, totals } = partialSums(work);
  const step = (words: readonly number[], products: boolean, operands: readonly string[]): Step => ({
    kernel: (precision, width) => sums(acrossOf(width), products, precision),
    lists: [Float64Array.from(words)],
    operands,
    numbers: [],
    blocks: (width) => (words.length / INNER_PRODUCT_WORDS) * Math.ceil(width / acrossOf(width)),
  });
  return [
    ...(partials.length === 0 ? [] : [step(partials, true, ['x', 'y', SCRATCH])]),
    ...(totals.length === 0 ? [] : [step(totals, false, [SCRATCH, 'out'])]),
  ];
}
