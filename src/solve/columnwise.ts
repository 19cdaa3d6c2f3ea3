/**
 * Methods for one right-hand side, column by column, with the results of a block.
 */
import type { Matrix } from '../dense/matrix.js';
import { view } from '../dense/matrix.js';
import type { BlockNumbers } from '../krylov/block-solution.js';
import type { LinearSolver, Solution, SolveControl } from '../krylov/solution.js';

const columnOf = (a: Matrix, j: number): Matrix => view(a.data, a.offset + j * a.ld, a.rows, 1);

/** The numbers of all columns, and each column's own solution. */
export interface ColumnSolutions {
  readonly numbers: BlockNumbers;
  readonly columns: readonly Solution[];
}

/**
 * X ← an approximation of A⁻¹B, N × p, one column after another; `guess` is N × p too. After an abort the columns left
 * are those of the guess, or zero. Throws what the solver throws.
 */
export async function solveColumns(
  solver: LinearSolver,
  b: Matrix,
  x: Matrix,
  { guess, ...control }: Omit<SolveControl, 'guess'> & { readonly guess?: Matrix | undefined },
): Promise<ColumnSolutions> {
  const columns: Solution[] = [];
  for (let j = 0; j < b.cols; j++) {
    const from = guess === undefined ? undefined : columnOf(guess, j);
    columns.push(await solver.solveAsync(columnOf(b, j), columnOf(x, j), { ...control, guess: from }));
  }
  const sum = (of: (one: Solution) => number): number => columns.reduce((total, one) => total + of(one), 0);
  const residuals = Float64Array.from(columns, ({ residual }) => residual);
  return {
    columns,
    numbers: {
      x,
      iterations: sum(({ iterations }) => iterations),
      products: sum(({ products }) => products),
      restarts: sum(({ restarts }) => restarts),
      residual: Math.max(0, ...residuals),
      residuals,
      unrounded: Math.max(0, ...columns.map(({ unrounded }) => unrounded)),
      columnIterations: Int32Array.from(columns, ({ iterations }) => iterations),
      history: Float64Array.from(columns.flatMap(({ history }) => [...history])),
    },
  };
}

/** The first column's end that is none of convergence; the numbers of all. */
export function asOne({ numbers, columns }: ColumnSolutions): Solution {
  const worst = columns.find(({ outcome }) => outcome !== 'converged') ?? columns[0];
  return { ...worst, ...numbers };
}
