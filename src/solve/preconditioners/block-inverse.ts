/**
 * The inverse of blocks on the diagonal of a matrix, each by Cholesky, over a team.
 *
 *   M = P blockdiag((K(I_k, I_k) + λI)⁻¹) Pᵀ,  I_k = order[ranges[k] … ranges[k + 1])
 */
import { NotPositiveDefiniteError } from '../../core/errors.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { availableMemory } from '../../io/machine.js';
import { StagedVectors } from '../../operator/block-workspace.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { trustClass } from '../../operator/self-check.js';
import { defineTask } from '../../parallel/task.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Shared, Team } from '../../parallel/team.js';
import type { EntrySource } from '../../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../../source/share-source.js';
import type { Invertible } from './kind.js';

/** Blocks that cover all indices once, and where the values of each begin. */
export interface Blocks {
  readonly order: Int32Array;
  /** 0 = ranges[0] < ranges[1] < … = N. */
  readonly ranges: Int32Array;
  readonly offsets: Float64Array;
}

/** Columns of a block that are evaluated, and vectors that are solved for, as one task. */
const PANEL = 512;
const WIDTH = 64;

interface FillState extends Blocks {
  readonly source: SourceHandle;
  readonly values: Float64Array;
  readonly panels: Int32Array;
}
interface FactorState extends Blocks {
  readonly values: Float64Array;
  readonly factors: Float64Array;
  readonly shift: number;
  readonly failures: Int32Array;
}
interface SolveState extends Blocks {
  readonly factors: Float64Array;
  readonly largest: number;
}
interface SolveArguments {
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
}

/** The blocks of these ranges, laid out one after the other. */
export function layOutBlocks(order: Int32Array, ranges: Int32Array): Blocks {
  const offsets = sharedFloat64(ranges.length);
  for (let k = 1; k < ranges.length; k++) offsets[k] = offsets[k - 1] + (ranges[k] - ranges[k - 1]) ** 2;
  return { order, ranges, offsets };
}

/** The indices as they are numbered. */
export function numbered(size: number): Int32Array {
  const order = sharedInt32(size);
  for (let i = 0; i < size; i++) order[i] = i;
  return order;
}

/**
 * The blocks of a source as what is kept of a preconditioner for all λ. Throws as `evaluateBlocks`, and inverting as
 * `invertBlocks`.
 */
export async function invertibleBlocks(
  source: EntrySource,
  blocks: Blocks,
  details: Invertible['details'],
  memoryLimit: number | undefined,
  control: TeamControl,
): Promise<Invertible> {
  const values = await evaluateBlocks(source, blocks, memoryLimit, control);
  return {
    details,
    invert: async (λ) => {
      const operator = await invertBlocks(blocks, values, λ, control);
      return {
        operator,
        bytes: operator.bytes,
        release: () => {
          operator.release();
        },
      };
    },
  };
}

/** A panel of columns of a block. */
export const fillBlockPanel = defineTask<FillState>(import.meta.url, 'fillBlockPanel', (state, context) => {
  const source = openHandle(state.source, context);
  const { order, ranges, offsets, values, panels } = state;
  return (task) => {
    const k = panels[2 * task];
    const first = panels[2 * task + 1];
    const m = ranges[k + 1] - ranges[k];
    const count = Math.min(PANEL, ranges[k + 1] - first);
    source.entries(
      order.subarray(ranges[k], ranges[k + 1]),
      order.subarray(first, first + count),
      view(values, offsets[k] + (first - ranges[k]) * m, m, count),
    );
  };
});

/** The lower Cholesky factor of a block plus λI. */
export const factorBlock = defineTask<FactorState>(
  import.meta.url,
  'factorBlock',
  ({ ranges, offsets, values, factors, shift, failures }, { blas }) =>
    (k) => {
      const m = ranges[k + 1] - ranges[k];
      const at = offsets[k];
      factors.set(values.subarray(at, at + m * m), at);
      for (let i = 0; i < m; i++) factors[at + i * (m + 1)] += shift;
      failures[k] = blas.potrf('L', view(factors, at, m, m));
    },
);

/** The rows of a block in out ← α·M·x + β·out. */
export const solveBlock = defineTask<SolveState, SolveArguments>(
  import.meta.url,
  'solveBlock',
  ({ order, ranges, offsets, factors, largest }, { blas }) => {
    const scratch = new Float64Array(largest * WIDTH);
    return (k, { x, out, alpha, beta }) => {
      const begin = ranges[k];
      const m = ranges[k + 1] - begin;
      const factor = view(factors, offsets[k], m, m);
      for (let first = 0; first < x.cols; first += WIDTH) {
        const rows = view(scratch, 0, m, Math.min(WIDTH, x.cols - first));
        for (let j = 0, at = 0; j < rows.cols; j++) {
          const from = x.offset + (first + j) * x.ld;
          for (let i = 0; i < m; i++) scratch[at++] = x.data[from + order[begin + i]];
        }
        blas.trsm('L', 'L', 'N', 'N', alpha, factor, rows);
        blas.trsm('L', 'L', 'T', 'N', 1, factor, rows);
        for (let j = 0, at = 0; j < rows.cols; j++) {
          const to = out.offset + (first + j) * out.ld;
          for (let i = 0; i < m; i++) {
            const place = to + order[begin + i];
            out.data[place] = scratch[at++] + (beta === 0 ? 0 : beta * out.data[place]);
          }
        }
      }
    };
  },
);

/**
 * K(I_k, I_k) of all blocks, both triangles. Throws MemoryError where they and one factorization do not fit; what the
 * source throws; AbortedError.
 */
async function evaluateBlocks(
  source: EntrySource,
  blocks: Blocks,
  memoryLimit: number | undefined,
  control: TeamControl,
): Promise<Float64Array> {
  const { ranges, offsets } = blocks;
  const numbers = offsets[offsets.length - 1];
  requireMemory(16 * numbers, memoryLimit ?? availableMemory(), {
    what: 'Diagonal blocks and their factors take',
    advice: 'choose smaller leaves.',
  });
  const values = sharedFloat64(numbers);
  const tasks: number[] = [];
  for (let k = 0; k + 1 < ranges.length; k++)
    for (let first = ranges[k]; first < ranges[k + 1]; first += PANEL) tasks.push(k, first);
  const panels = sharedInt32(tasks.length);
  panels.set(tasks);
  const { handle, modules, solo } = sourceState(source);
  const { team } = control;
  const shared = await team.share<FillState>({ ...blocks, source: handle, values, panels }, { modules, solo });
  try {
    await team.run('evaluate blocks', fillBlockPanel, shared, independentTasks(tasks.length / 2), undefined, control);
  } finally {
    team.release(shared);
  }
  return values;
}

/** M for a shift. Throws NotPositiveDefiniteError naming the block, AbortedError. */
async function invertBlocks(
  blocks: Blocks,
  values: Float64Array,
  shift: number,
  control: TeamControl,
): Promise<BlockInverse> {
  const count = blocks.ranges.length - 1;
  const failures = sharedInt32(count);
  const factors = sharedFloat64(values.length);
  const { team } = control;
  const shared = await team.share<FactorState>({ ...blocks, values, factors, shift, failures });
  try {
    await team.run('factor blocks', factorBlock, shared, independentTasks(count), undefined, control);
  } finally {
    team.release(shared);
  }
  const failed = failures.findIndex((info) => info !== 0);
  if (failed >= 0) {
    throw new NotPositiveDefiniteError(
      `Diagonal block ${failed} plus λ = ${shift} is not positive definite (minor ${failures[failed]}). Take a ` +
        'larger shift.',
      { block: failed, minor: failures[failed], shift },
    );
  }
  return new BlockInverse(blocks, factors, team);
}

const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** M as an operator: symmetric positive definite; 2Σ m_k² flops a vector. */
export class BlockInverse implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  /** Of factors, order and ranges. */
  readonly bytes: number;
  readonly #team: Team;
  readonly #shared: Shared<SolveState>;
  readonly #graph: TaskGraph;
  readonly #vectors = new StagedVectors();

  /** See `invertBlocks`, which factors. */
  constructor(blocks: Blocks, factors: Float64Array, team: Team) {
    const { order, ranges, offsets } = blocks;
    this.rows = order.length;
    this.cols = order.length;
    this.bytes = factors.byteLength + order.byteLength + ranges.byteLength + offsets.byteLength;
    let largest = 0;
    for (let k = 1; k < ranges.length; k++) largest = Math.max(largest, ranges[k] - ranges[k - 1]);
    this.#team = team;
    const shared = team.shareNow<SolveState>({ ...blocks, factors, largest });
    this.#shared = shared;
    this.#graph = independentTasks(ranges.length - 1);
    abandoned.register(this, () => team.release(shared), this);
  }

  /** See above. */
  flops(vectors: number): number {
    const { ranges } = this.#shared.state;
    let sum = 0;
    for (let k = 1; k < ranges.length; k++) sum += 2 * (ranges[k] - ranges[k - 1]) ** 2;
    return sum * vectors;
  }

  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    this.#vectors.run(out, x, beta, (output, input) =>
      this.#team.runSync(solveBlock, this.#shared, this.#graph, { x: input, out: output, alpha, beta }),
    );
  }

  release(): void {
    abandoned.unregister(this);
    this.#team.release(this.#shared);
  }
}
trustClass(BlockInverse);
