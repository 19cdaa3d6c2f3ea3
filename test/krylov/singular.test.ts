/**
 * Singular, nearly singular and slightly indefinite systems, of entries of any size: what every solver calls them, and
 * that no x is worse than the start.
 */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { blockConjugateGradientSolver } from '#hmatrix/krylov/block-conjugate-gradients.js';
import type { BlockSolver } from '#hmatrix/krylov/block-solution.js';
import { conjugateGradientSolver } from '#hmatrix/krylov/conjugate-gradients.js';
import { flexibleConjugateGradientSolver } from '#hmatrix/krylov/flexible-conjugate-gradients.js';
import { minresSolver } from '#hmatrix/krylov/minres.js';
import type { SolverOptions, SolveControl } from '#hmatrix/krylov/solution.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { filled, norm2, normals, withEigenvalues, withOwnRows } from './systems.js';

const blas = openBlas();
const EPS = Number.EPSILON;
const n = 40;

interface Solved {
  readonly outcome: string;
  readonly residual: number;
  readonly residuals: ArrayLike<number>;
  readonly curvature?: number;
  readonly curvatureBound?: number;
}
type Solve = (operator: LinearOperator, b: Matrix, x: Matrix, options?: SolverOptions & SolveControl) => Solved;
/** What is the solve's own, without what is the solver's. */
const controlOf = ({ preconditioner: _preconditioner, ...control }: SolverOptions & SolveControl): SolveControl =>
  control;
/** What is the solver's own. */
const optionsOf = ({
  keep: _keep,
  guess: _guess,
  signal: _signal,
  ...options
}: SolverOptions & SolveControl): SolverOptions => options;
const blockOf = (operator: LinearOperator, options: SolverOptions & SolveControl): BlockSolver =>
  blockConjugateGradientSolver(operator, { ...optionsOf(options), blas });
const single =
  (
    solverOf: (
      operator: LinearOperator,
      options: SolverOptions,
    ) => { solve(b: Matrix, x: Matrix, control: SolveControl): { residual: number; outcome: string } },
  ): Solve =>
  (operator, b, x, options = {}) => {
    const solution = solverOf(operator, optionsOf(options)).solve(b, x, controlOf(options));
    return { ...solution, residuals: [solution.residual] };
  };

/** The method over own rows. */
const overOwnRows =
  <S>(solverOf: (operator: LinearOperator, options: SolverOptions) => S) =>
  (operator: LinearOperator, { preconditioner, ...options }: SolverOptions): S =>
    solverOf(withOwnRows(operator), {
      ...options,
      preconditioner: preconditioner && withOwnRows(preconditioner),
    });

const blockOverOwnRows = (operator: LinearOperator, options: SolverOptions & SolveControl): BlockSolver =>
  overOwnRows(blockOf)(operator, options);

const SOLVERS: readonly (readonly [string, number, Solve])[] = [
  ['conjugateGradients', 1, single(conjugateGradientSolver)],
  ['conjugateGradients over own rows', 1, single(overOwnRows(conjugateGradientSolver))],
  [
    'flexibleConjugateGradients',
    1,
    single((operator, options) => flexibleConjugateGradientSolver(operator, { ...options, blas })),
  ],
  [
    'flexibleConjugateGradients over own rows',
    1,
    single(overOwnRows((operator, options) => flexibleConjugateGradientSolver(operator, { ...options, blas }))),
  ],
  [
    'blockConjugateGradients of 1',
    1,
    (operator, b, x, options = {}) => blockOf(operator, options).solve(b, x, controlOf(options)),
  ],
  [
    'blockConjugateGradients of 3',
    3,
    (operator, b, x, options = {}) => blockOf(operator, options).solve(b, x, controlOf(options)),
  ],
  [
    'blockConjugateGradients over own rows of 1',
    1,
    (operator, b, x, options = {}) => blockOverOwnRows(operator, options).solve(b, x, controlOf(options)),
  ],
  [
    'blockConjugateGradients over own rows of 3',
    3,
    (operator, b, x, options = {}) => blockOverOwnRows(operator, options).solve(b, x, controlOf(options)),
  ],
  ['minres', 1, single(minresSolver)],
  ['minres over own rows', 1, single(overOwnRows(minresSolver))],
];

const ones = (): Matrix => view(new Float64Array(n * n).fill(1), 0, n, n);
const rankOne = (): Matrix => {
  const v = normals(n, 1, 3).data;
  return view(
    filled(n * n, (k) => v[k % n] * v[Math.floor(k / n)]),
    0,
    n,
    n,
  );
};
/** The Laplacian of a path: constants are its null space. */
const laplacian = (): Matrix => {
  const a = zeros(n, n);
  for (let i = 0; i + 1 < n; i++)
    for (const [r, c, v] of [
      [i, i, 1],
      [i + 1, i + 1, 1],
      [i, i + 1, -1],
      [i + 1, i, -1],
    ])
      a.data[r + c * n] += v;
  return a;
};
const half = (): Matrix =>
  withEigenvalues(
    filled(n, (i) => (i < n / 2 ? 1 + i / 4 : 0)),
    blas,
    5,
  );
const SINGULAR: readonly (readonly [string, () => Matrix])[] = [
  ['all ones', ones],
  ['rank one', rankOne],
  ['a Laplacian', laplacian],
  ['half the rank', half],
];

const times = (a: Matrix, factor: number): Matrix =>
  view(
    a.data.map((value) => value * factor),
    0,
    a.rows,
    a.cols,
  );
const product = (a: Matrix, x: Matrix): Matrix => {
  const y = zeros(a.rows, x.cols);
  blas.gemm('N', 'N', 1, a, x, 0, y);
  return y;
};

/**
 * ‖b_j − a x_j‖/‖b_j‖ by loops over the entries of a; in the last digits it depends on the order of sums, by
 * n·eps·‖a‖‖x_j‖.
 */
function residualBy(a: Matrix, b: Matrix, x: Matrix, j: number): { value: number; rounding: number } {
  let [squares, largest] = [0, 0];
  const length = norm2(b, j);
  for (let i = 0; i < n; i++) {
    let [rest, sum] = [b.data[i + j * n], 0];
    for (let k = 0; k < n; k++) {
      const term = a.data[i + k * n] * x.data[k + j * n];
      rest -= term;
      sum += Math.abs(term);
    }
    squares += (rest / length) ** 2;
    largest = Math.max(largest, sum / length);
  }
  return { value: Math.sqrt(squares), rounding: n * n * EPS * (1 + largest) };
}

describe.each(SOLVERS)('%s', (title, cols, solve) => {
  const name = title.startsWith('minres') ? 'minres' : title;
  describe.each(SINGULAR)('of %s', (_, make) => {
    it.each([1, 1e-200, 1e160])(
      'times %s: a_consistent_system_is_solved_and_an_inconsistent_one_is_told_with_an_x_no_worse_than_zero',
      (scale) => {
        const a = times(make(), scale);
        const operator = denseOperator(a, true, { blas });
        for (const b of [product(make(), normals(n, cols, 7)), normals(n, cols, 9)]) {
          const consistent = b.data[0] !== normals(n, cols, 9).data[0];
          const x = normals(n, cols, 2);
          const solved = solve(operator, b, x, { relativeTolerance: 1e-8 });
          expect(solved.outcome).toBe(consistent ? 'converged' : name === 'minres' ? 'leastSquares' : 'singular');
          expect(x.data.every(Number.isFinite)).toBe(true);
          for (let j = 0; j < cols; j++) {
            const { value, rounding } = residualBy(a, b, x, j);
            expect(Math.abs(value - solved.residuals[j])).toBeLessThan(rounding);
            expect(value).toBeLessThanOrEqual(consistent ? 1e-8 + rounding : 1 + rounding);
          }
          if (solved.outcome === 'singular')
            expect(Math.abs(solved.curvature!)).toBeLessThanOrEqual(solved.curvatureBound!);
        }
      },
    );
  });

  it('a_zero_matrix_is_singular_and_x_stays_at_zero', () => {
    const x = normals(n, cols, 1);
    const { outcome, residual } = solve(diagonalOperator(new Float64Array(n)), normals(n, cols, 2), x);
    expect({ outcome, residual }).toEqual({ outcome: name === 'minres' ? 'leastSquares' : 'singular', residual: 1 });
    expect(norm2(x)).toBe(0);
  });

  it('an_eigenvalue_below_zero_beyond_rounding_is_indefinite_and_the_best_x_is_kept_where_asked', () => {
    if (name === 'minres') return;
    for (const scale of [1, 1e-200, 1e160]) {
      for (const least of [-0.5, -1e-3, -1e-9]) {
        const a = withEigenvalues(
          filled(n, (i) => (i === 7 ? least : 1 + i / 50)),
          blas,
          3,
        );
        const x = zeros(n, cols);
        const solved = solve(denseOperator(times(a, scale), true, { blas }), normals(n, cols, 11), x, {
          keep: 'best',
          relativeTolerance: 1e-14,
        });
        expect(solved.outcome).toBe('indefinite');
        expect(solved.curvature!).toBeLessThan(-solved.curvatureBound!);
        expect(solved.residual).toBeLessThanOrEqual(1);
        expect(solved.curvature! / scale).toBeGreaterThan(least * 1.01 - 1e-12);
      }
    }
  });

  it('a_matrix_that_only_its_scaling_makes_ill_conditioned_is_solved_with_its_diagonal', () => {
    const scales = filled(n, (i) => 10 ** (-i / 2));
    const core = withEigenvalues(
      filled(n, (i) => 1 + i / n),
      blas,
      2,
    );
    const a = view(
      filled(n * n, (k) => core.data[k] * scales[k % n] * scales[Math.floor(k / n)]),
      0,
      n,
      n,
    );
    const jacobi = diagonalOperator(filled(n, (i) => 1 / a.data[i * (n + 1)]));
    const b = product(a, normals(n, cols, 4));
    if (name === 'minres' || cols > 1) return;
    expect(solve(denseOperator(a, true, { blas }), b, zeros(n, cols), { preconditioner: jacobi }).outcome).toBe(
      'converged',
    );
  });

  it('from_a_guess_nothing_is_handed_back_that_is_worse_than_the_guess', () => {
    const a = ones();
    const guess = normals(n, cols, 5);
    const b = normals(n, cols, 6);
    const x = zeros(n, cols);
    const solved = solve(denseOperator(a, true, { blas }), b, x, { guess, keep: 'best' });
    for (let j = 0; j < cols; j++)
      expect(solved.residuals[j]).toBeLessThanOrEqual(residualBy(a, b, guess, j).value * (1 + n * EPS));
  });
});
