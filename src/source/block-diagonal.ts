/**
 * Blocks on the diagonal of a matrix, stored as they are: of the layers of a network, of its units, or of any ranges of
 * indices. B = blockdiag(K(R_1, R_1), K(R_2, R_2), …): of all matrices with that pattern the nearest to K in the
 * Frobenius norm, and positive semidefinite where K is.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { requireMemory } from '../core/memory.js';
import { asIndices } from '../core/numbers.js';
import { sharedFloat64, toShared } from '../core/shared-array.js';
import { block, view, type Matrix } from '../dense/matrix.js';
import { availableMemory } from '../io/machine.js';
import { StagedVectors } from '../operator/block-workspace.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { trustClass } from '../operator/self-check.js';
import { defineTask } from '../parallel/task.js';
import { independentTasks, type TaskGraph } from '../parallel/task-graph.js';
import type { Shared, Team } from '../parallel/team.js';
import { type EntrySource, requireSource } from './entry-source.js';
import { openHandle, sourceState, type SourceHandle } from './share-source.js';
import type { Ranges } from '../network/ranges.js';
import { onTeam, type Control } from '../parallel/default-team.js';

/** Options of {@link blockDiagonal}. */
export interface BlockDiagonalOptions {
  /** Bytes that the blocks may take; default: what is available. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link BlockDiagonalOptions}. */
const BLOCK_DIAGONAL_KEYS: KeysOf<BlockDiagonalOptions> = { memoryLimit: 'number' };

/** Bytes of the blocks and of the ranges. */
export function blockDiagonalBytes(ranges: Ranges): number {
  let numbers = 0;
  for (let k = 1; k < ranges.length; k++) numbers += (ranges[k] - ranges[k - 1]) ** 2;
  return 8 * numbers + ranges.byteLength;
}

/** Rows of a block that are filled, or multiplied, as one task. */
const PANEL = 512;

interface FillState {
  readonly source: SourceHandle;
  readonly ranges: Ranges;
  readonly values: Float64Array;
  readonly tasks: Int32Array;
}
interface ProductState {
  readonly ranges: Ranges;
  readonly values: Float64Array;
  readonly tasks: Int32Array;
}
interface ProductArguments {
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
}

/** Range and first row, for each task. */
function panelsOf(ranges: Ranges): Int32Array {
  const tasks: number[] = [];
  for (let k = 0; k + 1 < ranges.length; k++)
    for (let first = ranges[k]; first < ranges[k + 1]; first += PANEL) tasks.push(k, first);
  return toShared(Int32Array.from(tasks));
}

/** Where each block begins among the values; blocks are square, column-major, one after the other. */
function offsetsOf(ranges: Ranges): Float64Array {
  const offsets = new Float64Array(ranges.length);
  for (let k = 1; k < ranges.length; k++) offsets[k] = offsets[k - 1] + (ranges[k] - ranges[k - 1]) ** 2;
  return offsets;
}

/** One panel of columns of a block. */
export const fillPanel = defineTask<FillState>(import.meta.url, 'fillPanel', (state, context) => {
  const source = openHandle(state.source, context);
  const { ranges, values, tasks } = state;
  const offsets = offsetsOf(ranges);
  return (task) => {
    const [k, first] = [tasks[2 * task], tasks[2 * task + 1]];
    const m = ranges[k + 1] - ranges[k];
    const count = Math.min(PANEL, ranges[k + 1] - first);
    const rows = Int32Array.from({ length: m }, (_, i) => ranges[k] + i);
    const cols = Int32Array.from({ length: count }, (_, j) => first + j);
    source.entries(rows, cols, view(values, offsets[k] + (first - ranges[k]) * m, m, count));
  };
});

/** Rows of the product with one panel: blocks are symmetric, so its rows are the transposed columns. */
export const multiplyPanel = defineTask<ProductState, ProductArguments>(
  import.meta.url,
  'multiplyPanel',
  ({ ranges, values, tasks }, { blas }) => {
    const offsets = offsetsOf(ranges);
    return (task, { x, out, alpha, beta }) => {
      const [k, first] = [tasks[2 * task], tasks[2 * task + 1]];
      const m = ranges[k + 1] - ranges[k];
      const count = Math.min(PANEL, ranges[k + 1] - first);
      const columns = view(values, offsets[k] + (first - ranges[k]) * m, m, count);
      blas.gemm(
        'T',
        'N',
        alpha,
        columns,
        block(x, ranges[k], 0, m, x.cols),
        beta,
        block(out, first, 0, count, out.cols),
      );
    };
  },
);

const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** B as an operator on a team. */
export class BlockDiagonalOperator implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly ranges: Ranges;
  /** The blocks one after the other, each square and column-major. */
  readonly values: Float64Array;
  readonly #team: Team;
  readonly #shared: Shared<ProductState>;
  readonly #graph: TaskGraph;
  readonly #vectors = new StagedVectors();
  #released = false;

  /** See `blockDiagonal`, which fills the values. */
  constructor(ranges: Ranges, values: Float64Array, tasks: Int32Array, team: Team) {
    this.rows = ranges[ranges.length - 1];
    this.cols = this.rows;
    this.ranges = ranges;
    this.values = values;
    this.#team = team;
    const shared = team.shareNow<ProductState>({ ranges, values, tasks });
    this.#shared = shared;
    this.#graph = independentTasks(tasks.length / 2);
    abandoned.register(this, () => team.release(shared), this);
  }

  get bytes(): number {
    return this.values.byteLength + this.ranges.byteLength;
  }

  /** Σ m_k² multiplications and as many additions a vector. */
  flops(vectors: number): number {
    return 2 * this.values.length * vectors;
  }

  diagonal(out: Float64Array): void {
    const { ranges, values } = this;
    for (let k = 1, at = 0; k < ranges.length; k++) {
      const m = ranges[k] - ranges[k - 1];
      for (let i = 0; i < m; i++) out[ranges[k - 1] + i] = values[at + i * (m + 1)];
      at += m * m;
    }
  }

  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    if (this.#released) throw new OptionError('The operator was released.');
    this.#vectors.run(out, x, beta, (output, input) =>
      this.#team.runSync(multiplyPanel, this.#shared, this.#graph, { x: input, out: output, alpha, beta }),
    );
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    abandoned.unregister(this);
    this.#team.release(this.#shared);
  }
}
trustClass(BlockDiagonalOperator);

/**
 * The blocks of a symmetric matrix on the diagonal, Σ m_k² entries for ranges of m_k indices, in float64; products are
 * 2Σ m_k² flops a vector, shared by the team. Throws ShapeError (ranges that do not run from 0 to N), MemoryError
 * (before allocating), AbortedError, and what the source throws.
 */
export async function blockDiagonal(
  source: EntrySource,
  given: ArrayLike<number>,
  options: BlockDiagonalOptions = {},
  givenControl: Control = {},
): Promise<BlockDiagonalOperator> {
  requireSource(source, 'blockDiagonal');
  requireKnownOptions(options, BLOCK_DIAGONAL_KEYS, 'blockDiagonal');
  const control = await onTeam(givenControl, 'blockDiagonal');
  const ranges: Ranges = asIndices(given, 'ranges');
  const last = ranges.length - 1;
  if (
    last < 1 ||
    ranges[0] !== 0 ||
    ranges[last] !== source.size ||
    ranges.some((begin, k) => k > 0 && begin <= ranges[k - 1])
  ) {
    throw new ShapeError(`The ranges of blocks must ascend from 0 to ${source.size}.`, {
      size: source.size,
      ranges: Array.from(ranges.subarray(0, 8)),
    });
  }
  const bytes = blockDiagonalBytes(ranges);
  requireMemory(bytes, options.memoryLimit ?? availableMemory(), {
    what: 'The blocks take',
    advice: 'choose smaller blocks.',
  });
  const values = sharedFloat64((bytes - ranges.byteLength) / 8);
  const tasks = panelsOf(ranges);
  const { handle, modules, solo } = sourceState(source);
  const { team } = control;
  const shared = await team.share<FillState>({ source: handle, ranges, values, tasks }, { modules, solo });
  try {
    await team.run('evaluate blocks', fillPanel, shared, independentTasks(tasks.length / 2), undefined, control);
  } finally {
    team.release(shared);
  }
  return new BlockDiagonalOperator(ranges, values, tasks, team);
}
