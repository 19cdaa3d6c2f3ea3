/**
 * What the randomized decompositions share: options, memory, and products with a panel block by block.
 */
import { requireWhole } from '../core/checks.js';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import type { KeysOf } from '../core/known-options.js';
import { requireMemory } from '../core/memory.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import type { WithBlas } from '../dense/default-blas.js';
import { block, squaredNorm, view, type Matrix } from '../dense/matrix.js';
import { availableMemory } from '../io/machine.js';
import { CHUNK } from '../operator/block-workspace.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { Team } from '../parallel/team.js';

/** Progress, abort, and a team that shares the work on panels, if there is one. */
export interface LowRankControl extends RunControl {
  readonly team?: Team | undefined;
}

/** What every randomized decomposition takes. */
export interface SketchOptions {
  /** Default: the team's. */
  readonly blas?: Blas | undefined;
  /** Rank r of the result, at most N. */
  readonly rank: number;
  /** Vectors beyond the rank; default 10. At most N in all. */
  readonly oversampling?: number | undefined;
  /** Default 0. Seeds the random vectors. */
  readonly seed?: number | undefined;
  /** Bytes that may be allocated; default: what is available. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link SketchOptions}. */
export const SKETCH_KEYS: KeysOf<SketchOptions> = {
  blas: true,
  rank: 'number',
  oversampling: 'number',
  seed: 'number',
  memoryLimit: 'number',
};

/** A sketch's options, checked and with all defaults filled in. */
export interface ResolvedSketch {
  readonly blas: Blas;
  /** N. */
  readonly size: number;
  readonly rank: number;
  /** Rank and oversampling together. */
  readonly columns: number;
  readonly seed: number;
  readonly memoryLimit: number;
}

/** Throws ShapeError, OptionError. */
export function resolveSketch(operator: LinearOperator, options: WithBlas<SketchOptions>): ResolvedSketch {
  const { rows, cols, symmetric } = operator;
  if (rows !== cols || rows === 0)
    throw new ShapeError(
      `A decomposition U diag(s) Uᵀ needs a square operator with at least one row, this one is ${rows} × ${cols}.`,
      { rows, cols },
    );
  if (!symmetric)
    throw new OptionError('A decomposition U diag(s) Uᵀ needs a symmetric operator; this one says that it is not.');
  const { blas, rank, oversampling = 10, seed = 0, memoryLimit = availableMemory() } = options;
  requireWhole(rank, 'rank', 1, rows);
  requireWhole(oversampling, 'oversampling', 0);
  return { blas, size: rows, rank, columns: Math.min(rows, rank + oversampling), seed, memoryLimit };
}

/** Throws MemoryError if that many numbers of float64 exceed the limit. */
export function requireNumbers(numbers: number, { rank, size, memoryLimit }: ResolvedSketch): void {
  requireMemory(8 * numbers, memoryLimit, {
    what: `Rank ${rank} of a matrix of size ${size} may need up to`,
    advice: 'lower the rank, or raise memoryLimit.',
  });
}

/** A rows × cols matrix of float64 zeros in shared memory. Throws MemoryError. */
export const sharedPanel = (rows: number, cols: number): Matrix => view(sharedFloat64(rows * cols), 0, rows, cols);

/** Columns of the block in which products with a panel of so many columns are done. */
export const blockWidth = (columns: number): number => Math.min(CHUNK, columns);

/** Serves the event loop, reports, and throws AbortedError where the signal has fired. */
export async function pause(control: RunControl, phase: string, done: number, total: number): Promise<void> {
  await nextTurn();
  control.onProgress?.({ phase, done, total });
  throwIfAborted(control.signal);
}

/** Products G·X with all columns of a panel, block by block. */
export interface PanelProducts {
  readonly columns: number;
  /** The name under which progress is reported. */
  readonly phase: string;
  /** x and out of columns first … first + count − 1. */
  readonly operands: (first: number, count: number) => { readonly x: Matrix; readonly out: Matrix };
  /** Takes a block's products, before the next block. */
  readonly use?: ((out: Matrix, first: number) => void) | undefined;
}

/**
 * For each block of columns: out ← G·x for x and out that `operands` gives, then `use`. Returns ‖G·X‖_F². Throws
 * NonFiniteError, AbortedError.
 */
export async function multiplyBlocks(
  operator: LinearOperator,
  { columns, phase, operands, use }: PanelProducts,
  control: RunControl,
): Promise<number> {
  const width = blockWidth(columns);
  let total = 0;
  await pause(control, phase, 0, columns);
  for (let first = 0; first < columns; first += width) {
    const count = Math.min(width, columns - first);
    const { x, out } = operands(first, count);
    operator.applyUnchecked(out, x, 1, 0);
    for (let j = 0; j < count; j++) {
      const square = squaredNorm(block(out, 0, j, out.rows, 1));
      if (!Number.isFinite(square))
        throw new NonFiniteError('A product of the operator is NaN or infinite, or its square overflows.', {
          column: first + j,
        });
      total += square;
    }
    use?.(out, first);
    await pause(control, phase, first + count, columns);
  }
  return total;
}

/** (A + Aᵀ)/2 in place. */
export function symmetrize(a: Matrix): void {
  const { data, offset, ld, rows } = a;
  for (let j = 0; j < rows; j++) {
    for (let i = j + 1; i < rows; i++) {
      const mean = (data[offset + i + j * ld] + data[offset + j + i * ld]) / 2;
      data[offset + i + j * ld] = mean;
      data[offset + j + i * ld] = mean;
    }
  }
}
