/**
 * Products with a matrix that is seen through its entries.
 * Rows are evaluated in panels, shared by the team, and multiplied by gemm: N² entries a product, whatever the number
 * of vectors up to 256. Where the dense matrix fits a budget of memory it is evaluated once and kept instead. Sums run
 * in the same order for every team.
 */
import { OptionError } from '../core/errors.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { block, view, type Matrix } from '../dense/matrix.js';
import { StagedVectors } from '../operator/block-workspace.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { trustClass } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { defineTask } from '../parallel/task.js';
import { independentTasks, type TaskGraph } from '../parallel/task-graph.js';
import type { Shared, Team } from '../parallel/team.js';
import { type EntrySource, requireSource } from './entry-source.js';
import { openHandle, sourceState, type SourceHandle } from './share-source.js';

/** Options of {@link entryOperator}. */
export interface EntryOperatorOptions {
  /** Bytes that the dense matrix may take to be kept; default 1 GiB (N ≤ 11,585), 0 keeps nothing. */
  readonly keepBytes?: number | undefined;
}
/** The keys of {@link EntryOperatorOptions}. */
const ENTRY_OPERATOR_KEYS: KeysOf<EntryOperatorOptions> = { keepBytes: true };

const KEEP_BYTES = 2 ** 30;
/** Rows of a task, and columns evaluated at a time. */
const PANEL = 128;
const COLUMNS = 512;

interface EntryState {
  readonly source: SourceHandle;
  readonly size: number;
  readonly dense: Float64Array | null;
}
interface ProductArguments {
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
}

const range = (first: number, count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => first + i);

/** A panel of columns of the dense matrix. */
export const keepPanel = defineTask<EntryState>(
  import.meta.url,
  'keepPanel',
  ({ source: handle, size, dense }, context) => {
    const source = openHandle(handle, context);
    const all = range(0, size);
    return (task) => {
      const first = task * PANEL;
      const count = Math.min(PANEL, size - first);
      source.entries(all, range(first, count), view(dense!, first * size, size, count));
    };
  },
);

/** A panel of rows of out ← α·K·x + β·out. The kept matrix is symmetric: its rows are its columns. */
export const multiplyEntries = defineTask<EntryState, ProductArguments>(
  import.meta.url,
  'multiplyEntries',
  ({ source: handle, size, dense }, context) => {
    const { blas } = context;
    const source = dense === null ? openHandle(handle, context) : undefined;
    const scratch = dense === null ? new Float64Array(PANEL * COLUMNS) : undefined;
    return (task, { x, out, alpha, beta }) => {
      const first = task * PANEL;
      const count = Math.min(PANEL, size - first);
      const target = block(out, first, 0, count, out.cols);
      if (dense !== null) {
        blas.gemm('T', 'N', alpha, view(dense, first * size, size, count), x, beta, target);
        return;
      }
      const rows = range(first, count);
      for (let from = 0; from < size; from += COLUMNS) {
        const width = Math.min(COLUMNS, size - from);
        const entries = view(scratch!, 0, count, width);
        source!.entries(rows, range(from, width), entries);
        blas.gemm('N', 'N', alpha, entries, block(x, from, 0, width, x.cols), from === 0 ? beta : 1, target);
      }
    };
  },
);

const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** K·x of a source without products of its own. */
export class EntryOperator implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  /** Of the dense matrix, where it is kept. */
  readonly bytes: number;
  /** 2N² a vector where the dense matrix is kept; what entries cost is the source's to know. */
  readonly flops: LinearOperator['flops'];
  readonly #team: Team;
  readonly #shared: Shared<EntryState>;
  readonly #graph: TaskGraph;
  readonly #vectors = new StagedVectors();
  #released = false;

  /** See `entryOperator`, which fills what is kept. */
  constructor(shared: Shared<EntryState>, team: Team) {
    const { size, dense } = shared.state;
    this.rows = size;
    this.cols = size;
    this.bytes = dense?.byteLength ?? 0;
    this.flops = dense === null ? undefined : (vectors) => 2 * size ** 2 * vectors;
    this.#team = team;
    this.#shared = shared;
    this.#graph = independentTasks(Math.ceil(size / PANEL));
    abandoned.register(this, () => team.release(shared), this);
  }

  /** Whether the dense matrix is kept. */
  get kept(): boolean {
    return this.bytes > 0;
  }

  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    if (this.#released) throw new OptionError('The operator was released.');
    this.#vectors.run(out, x, beta, (output, input) =>
      this.#team.runSync(multiplyEntries, this.#shared, this.#graph, { x: input, out: output, alpha, beta }),
    );
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    abandoned.unregister(this);
    this.#team.release(this.#shared);
  }
}
trustClass(EntryOperator);

/**
 * The operator of a symmetric source: N² entries and 2N² flops a vector, or 2N² flops alone where 8N² bytes may be
 * kept. A source without a descriptor is evaluated by the calling thread. Throws OptionError, AbortedError, and what
 * the source throws.
 */
export async function entryOperator(
  source: EntrySource,
  options: EntryOperatorOptions = {},
  given: Control = {},
): Promise<EntryOperator> {
  requireSource(source, 'entryOperator');
  const { keepBytes = KEEP_BYTES } = requireKnownOptions(options, ENTRY_OPERATOR_KEYS, 'entryOperator');
  const control = await onTeam(given, 'entryOperator');
  if (!(keepBytes >= 0))
    throw new OptionError(`keepBytes must be a number ≥ 0, not ${keepBytes}.`, {
      option: 'keepBytes',
      value: keepBytes,
    });
  const { size } = source;
  const { team } = control;
  const { handle, modules, solo } = sourceState(source);
  const dense = 8 * size * size <= keepBytes ? sharedFloat64(size * size) : null;
  const shared = await team.share<EntryState>({ source: handle, size, dense }, { modules, solo });
  try {
    if (dense !== null)
      await team.run(
        'evaluate the matrix',
        keepPanel,
        shared,
        independentTasks(Math.ceil(size / PANEL)),
        undefined,
        control,
      );
  } catch (error) {
    team.release(shared);
    throw error;
  }
  return new EntryOperator(shared, team);
}
