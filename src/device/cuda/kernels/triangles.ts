/**
 * Triangles by panels (work/panels.ts), what is left of which stands in shared memory.
 */
import type { Precision } from '../../../core/floats.js';
import {
  choleskyPanels,
  DIAGONAL_WORDS,
  listOfDiagonals,
  substitutionPanels,
  type DiagonalBlock,
} from '../../work/panels.js';
import { partsOf } from '../../work/tiles.js';
import {
  listsOfSubstitutions,
  ofRows,
  SYSTEM_WORDS,
  type Choleskys,
  type Substitutions,
} from '../../work/triangles.js';
import type { ChosenFactors, OwnLaunches } from '../factors.js';
import { factorSteps, type FactorStep } from './factors.js';
import type { GemmStep } from './gemms.js';
import { productSteps, type GemmChoice } from './products.js';
import type { KernelSource } from './source.js';
import { stepKernel, type RowsStep, type Step } from './step.js';

/** Order of the triangles that stand in shared memory: that of a warp. */
const PANEL = 32;
const FACTORING = 128;
const SOLVING = 64;

/** A = L·Lᵀ. A thread has a row, and every fourth column of it: a pivot, its column, then what that changes. */
const DIAGONAL = `
  __shared__ real l[${PANEL} * ${PANEL + 1}];
  __shared__ int failed;
  const double* block = p.lists[0] + ${DIAGONAL_WORDS}ll * blockIdx.x;
  real* values = p.operands[0] + word(block, 0);
  const long long ld = word(block, 1);
  const int order = word(block, 2), before = word(block, 4), row = threadIdx.x % ${PANEL};
  real* status = p.operands[1] + word(block, 3);
  for (int c = threadIdx.x / ${PANEL}; c <= row && row < order; c += ${FACTORING / PANEL})
    l[row * ${PANEL + 1} + c] = values[row + c * ld];
  if (threadIdx.x == 0) failed = before > 0 ? (int)*status : 0;
  __syncthreads();
  for (int k = 0; k < order; k++) {
    if (threadIdx.x == 0 && failed == 0) {
      const real pivot = l[k * ${PANEL + 2}];
      // Infinities and what is not a number are no pivots.
      if (pivot > 0 && pivot * 0 == 0) l[k * ${PANEL + 2}] = sqrt(pivot);
      else failed = before + k + 1;
    }
    __syncthreads();
    const bool goes = failed == 0 && row > k && row < order;
    if (goes && threadIdx.x < ${PANEL}) l[row * ${PANEL + 1} + k] /= l[k * ${PANEL + 2}];
    __syncthreads();
    for (int c = k + 1 + threadIdx.x / ${PANEL}; goes && c <= row; c += ${FACTORING / PANEL})
      l[row * ${PANEL + 1} + c] -= l[row * ${PANEL + 1} + k] * l[c * ${PANEL + 1} + k];
    __syncthreads();
  }
  for (int c = threadIdx.x / ${PANEL}; c <= row && row < order; c += ${FACTORING / PANEL})
    values[row + c * ld] = l[row * ${PANEL + 1} + c];
  if (threadIdx.x == 0) *status = failed;`;

/** X ← L⁻¹·X or L⁻ᵀ·X: a thread has a column of X. */
const SOLVE = (transposed: boolean, rows: boolean): string => `
  __shared__ real l[${PANEL} * ${PANEL}];
  __shared__ real x[${PANEL} * ${SOLVING}];
  ${rows ? `const long long across = (p.width + ${SOLVING - 1}) / ${SOLVING};` : ''}
  const long long number = ${rows ? 'blockIdx.x / across' : 'word(p.lists[1], 2ll * blockIdx.x)'};
  const long long column = threadIdx.x +
    ${rows ? `blockIdx.x % across * ${SOLVING}` : 'word(p.lists[1], 2ll * blockIdx.x + 1)'};
  const double* system = p.lists[0] + ${SYSTEM_WORDS} * number;
  const real* triangle = p.operands[0] + word(system, 0);
  const long long ld = word(system, 1);
  const int order = word(system, 2), thread = threadIdx.x;
  for (int e = thread; e < order * order; e += ${SOLVING})
    if (e % order >= e / order) l[e % order * ${PANEL} + e / order] = triangle[e % order + e / order * ld];
  const long long columns = ${rows ? 'p.width' : 'word(system, 6)'};
  const bool turned = ${rows ? 'true' : 'word(system, 5) != 0'};
  const long long step = ${rows ? 'p.width' : 'word(system, 4)'};
  const long long down = turned ? step : 1, over = turned ? 1 : step;
  real* to = p.operands[1] + word(system, 3)${rows ? ' * p.width' : ''} + column * over;
  for (int i = 0; i < order && column < columns; i++) x[i * ${SOLVING} + thread] = to[i * down];
  __syncthreads();
  if (column >= columns) return;
  for (int k = 0; k < order; k++) {
    const int d = ${transposed ? 'order - 1 - k' : 'k'};
    const real value = x[d * ${SOLVING} + thread] / l[d * ${PANEL + 1}];
    x[d * ${SOLVING} + thread] = value;
    for (int i = ${transposed ? '0; i < d' : 'd + 1; i < order'}; i++)
      x[i * ${SOLVING} + thread] -= ${transposed ? `l[d * ${PANEL} + i]` : `l[i * ${PANEL} + d]`} * value;
  }
  for (int i = 0; i < order; i++) to[i * down] = x[i * ${SOLVING} + thread];`;

function solveKernel(transposed: boolean, rows: boolean, precision: Precision): KernelSource {
  const name = `solve${transposed ? '_transposed' : ''}${rows ? '_rows' : ''}`;
  return stepKernel(name, precision, SOLVING, SOLVE(transposed, rows));
}

function diagonalStep(diagonals: readonly DiagonalBlock[]): Step {
  return {
    kernel: (precision) => stepKernel('cholesky', precision, FACTORING, DIAGONAL),
    lists: [listOfDiagonals(diagonals)],
    operands: ['values', 'status'],
    numbers: [],
    blocks: () => diagonals.length,
  };
}

function solveSteps(work: Substitutions, operands: readonly string[]): Step[] {
  const { systems } = listsOfSubstitutions(work);
  const rows = ofRows(work);
  const parts = partsOf(
    work.systems.map(({ x }) => (x.block === undefined ? 0 : x.columns)),
    SOLVING,
  );
  if (work.systems.length === 0) return [];
  return [
    {
      kernel: (precision) => solveKernel(work.transposed, rows, precision),
      lists: [systems, ...(rows ? [] : [Float64Array.from(parts)])],
      operands,
      numbers: [],
      blocks: (width) => (rows ? work.systems.length * Math.ceil(width / SOLVING) : parts.length / 2),
    },
  ];
}

/** Which triangles are cuSOLVER's, given the launches that ours take; default: none. */
export type FactorChoice = ((work: Choleskys, own: OwnLaunches) => ChosenFactors) | undefined;

/** What stands before a panel, its diagonal, what stands below; of the first and the last panel one less. */
const ownLaunches: OwnLaunches = (order) => 3 * Math.ceil(order / PANEL) - 2;

/** Factorizations: three steps a panel; before them two for each triangle of cuSOLVER's. */
export function choleskySteps(
  work: Choleskys,
  choose: GemmChoice,
  factors: FactorChoice,
): (Step | GemmStep | FactorStep)[] {
  const { large, rest } = factors?.(work, ownLaunches) ?? { large: [], rest: work };
  const panels = choleskyPanels(rest, PANEL).flatMap(({ updates, diagonals, solves }) => [
    ...productSteps(updates, choose, ['values', 'values', 'values']),
    diagonalStep(diagonals),
    ...solveSteps(solves, ['values', 'values']),
  ]);
  return [...factorSteps(large), ...panels];
}

/** Substitutions: two steps a panel. */
export const substitutionSteps = (work: Substitutions, choose: GemmChoice): (Step | RowsStep | GemmStep)[] =>
  substitutionPanels(work, PANEL).flatMap(({ updates, rows, solves }) => [
    ...(updates === undefined ? [] : productSteps(updates, choose, ['triangles', 'x', 'x'])),
    ...(rows === undefined ? [] : [{ rows, values: 'triangles', vectors: 'x' }]),
    ...solveSteps(solves, ['triangles', 'x']),
  ]);
