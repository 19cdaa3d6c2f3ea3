/**
 * Products with a matrix that is seen through its entries.
 * Rows are evaluated in panels, shared by the team, and multiplied by gemm: N² entries a product, whatever the number
 * of vectors up to 256. Where the dense matrix fits a budget of memory it is evaluated once and kept instead, one
 * triangle of a symmetric one; one that is stored already is multiplied where it lies. Sums run in the same order for
 * every team.
 */
import type { RunControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
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
import type { TeamControl } from '../parallel/team-control.js';
import { DenseSource } from './dense-source.js';
import { type EntrySource, requireSource } from './entry-source.js';
import { openHandle, sourceState, type SourceHandle } from './share-source.js';
import { requireSymmetric } from './validate.js';

/** Options of {@link entryOperator}. */
export interface EntryOperatorOptions {
  /**
   * Bytes that the dense matrix may take to be kept; default 1 GiB (N ≤ 11,585), 0 keeps nothing. A stored float64
   * matrix is multiplied where it lies, whatever its size.
   */
  readonly keepBytes?: number | undefined;
}
/** The keys of {@link EntryOperatorOptions}. */
const ENTRY_OPERATOR_KEYS: KeysOf<EntryOperatorOptions> = { keepBytes: 'number' };

const KEEP_BYTES = 2 ** 30;
/** Rows of a task, and columns evaluated at a time. */
const PANEL = 128;
const COLUMNS = 512;
/** Rows that are mirrored at a time: a tile and its transpose stay in cache. */
const TILE = 32;
const SYMMETRY_SEED = 0;

/** Consecutive indices of a source. */
export interface IndexRange {
  readonly first: number;
  readonly count: number;
}

/** The block of a source's matrix that is multiplied with. */
interface EntryState {
  readonly source: SourceHandle;
  readonly rows: IndexRange;
  readonly cols: IndexRange;
  /** The block itself, where it is kept. */
  readonly dense: Float64Array | null;
  /** Whether it is the whole symmetric matrix. */
  readonly symmetric: boolean;
}
interface ProductArguments {
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
  readonly transposed: boolean;
}

const range = (first: number, count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => first + i);

/** A panel of columns of the dense matrix; of a symmetric one what is on and below the diagonal, and its mirror. */
export const keepPanel = defineTask<EntryState>(
  import.meta.url,
  'keepPanel',
  ({ source: handle, rows, cols, dense, symmetric }, context) => {
    const source = openHandle(handle, context);
    const all = range(rows.first, rows.count);
    return (task) => {
      const first = task * PANEL;
      const count = Math.min(PANEL, cols.count - first);
      const above = symmetric ? first : 0;
      const panel = view(dense!, first * rows.count + above, rows.count - above, count, rows.count);
      source.entries(all.subarray(above), range(cols.first + first, count), panel);
      if (symmetric) mirrorPanel(dense!, rows.count, first, count);
    };
  },
);

/** K(j, i) ← K(i, j) for the columns j of a panel and all i > j. */
function mirrorPanel(dense: Float64Array, size: number, first: number, count: number): void {
  for (let begin = first; begin < size; begin += TILE) {
    const end = Math.min(size, begin + TILE);
    for (let i = begin; i < end; i++) {
      const last = Math.min(i, first + count);
      for (let j = first, at = i * size + first; j < last; j++) dense[at++] = dense[i + j * size];
    }
  }
}

/** A panel of rows of out ← α·K·x + β·out, or of α·Kᵀ·x + β·out: rows of Kᵀ are columns of K. */
export const multiplyEntries = defineTask<EntryState, ProductArguments>(
  import.meta.url,
  'multiplyEntries',
  ({ source: handle, rows, cols, dense }, context) => {
    const { blas } = context;
    const source = dense === null ? openHandle(handle, context) : undefined;
    const scratch = dense === null ? new Float64Array(PANEL * COLUMNS) : undefined;
    return (task, { x, out, alpha, beta, transposed }) => {
      const [outer, inner] = transposed ? [cols, rows] : [rows, cols];
      const first = task * PANEL;
      const count = Math.min(PANEL, outer.count - first);
      const target = block(out, first, 0, count, out.cols);
      if (dense !== null) {
        if (transposed) blas.gemm('T', 'N', alpha, view(dense, first * rows.count, rows.count, count), x, beta, target);
        else blas.gemm('N', 'N', alpha, view(dense, first, count, cols.count, rows.count), x, beta, target);
        return;
      }
      const members = range(outer.first + first, count);
      for (let from = 0; from < inner.count; from += COLUMNS) {
        const width = Math.min(COLUMNS, inner.count - from);
        const entries = view(scratch!, 0, count, width);
        source!.entries(members, range(inner.first + from, width), entries);
        blas.gemm('N', 'N', alpha, entries, block(x, from, 0, width, x.cols), from === 0 ? beta : 1, target);
      }
    };
  },
);

const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** A block of a source on a team; let go when nothing that multiplies with it is left. */
class SharedEntries {
  readonly team: Team;
  readonly shared: Shared<EntryState>;
  released = false;

  constructor(shared: Shared<EntryState>, team: Team) {
    this.team = team;
    this.shared = shared;
    abandoned.register(this, () => team.release(shared), this);
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    abandoned.unregister(this);
    this.team.release(this.shared);
  }
}

/** K·x of a source without products of its own, or of a block of its matrix. */
export class EntryOperator implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric: boolean;
  /** Of the dense matrix, where it is kept. */
  readonly bytes: number;
  /** 2·rows·cols a vector where the dense matrix is kept; what entries cost is the source's to know. */
  readonly flops: LinearOperator['flops'];
  readonly #entries: SharedEntries;
  readonly #transposed: boolean;
  readonly #graph: TaskGraph;
  readonly #vectors = new StagedVectors();

  /** See `openEntries`. */
  constructor(entries: SharedEntries, symmetric: boolean, transposed: boolean) {
    const { rows, cols, dense } = entries.shared.state;
    const [outer, inner] = transposed ? [cols.count, rows.count] : [rows.count, cols.count];
    this.rows = outer;
    this.cols = inner;
    this.symmetric = symmetric;
    this.bytes = dense?.byteLength ?? 0;
    this.flops = dense === null ? undefined : (vectors) => 2 * outer * inner * vectors;
    this.#entries = entries;
    this.#transposed = transposed;
    this.#graph = independentTasks(Math.ceil(outer / PANEL));
  }

  /** Whether the dense matrix is kept. */
  get kept(): boolean {
    return this.bytes > 0;
  }

  /** The dense matrix of a whole symmetric source, where it is kept: N × N numbers over shared memory. */
  get dense(): Matrix | undefined {
    const { dense, rows } = this.#entries.shared.state;
    return dense === null || !this.symmetric ? undefined : view(dense, 0, rows.count, rows.count);
  }

  /** Kᵀ, over the same entries: `release` of either lets go of both. The operator itself where it is symmetric. */
  transpose(): EntryOperator {
    return this.symmetric ? this : new EntryOperator(this.#entries, false, !this.#transposed);
  }

  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const { released, team, shared } = this.#entries;
    if (released) throw new OptionError('The operator was released.');
    this.#vectors.run(out, x, beta, (output, input) => {
      const given = { x: input, out: output, alpha, beta, transposed: this.#transposed };
      team.runSync(multiplyEntries, shared, this.#graph, given);
    });
  }

  /**
   * As `applyUnchecked`, with the same bits, in turns with the event loop: a product of N² entries may take minutes, so
   * it honours the signal and reports progress as `phase`. One at a time. Throws OptionError, AbortedError.
   */
  async applyInTurns(
    { out, x, alpha, beta }: Omit<ProductArguments, 'transposed'>,
    phase: string,
    control: RunControl,
  ): Promise<void> {
    const { released, team, shared } = this.#entries;
    if (released) throw new OptionError('The operator was released.');
    await this.#vectors.runInTurns(out, x, beta, (output, input) => {
      const given = { x: input, out: output, alpha, beta, transposed: this.#transposed };
      return team.run(phase, multiplyEntries, shared, this.#graph, given, control);
    });
  }

  release(): void {
    this.#entries.release();
  }
}
trustClass(EntryOperator);

/** A block of a source's matrix, and whether it is the whole symmetric one. */
interface EntryBlock {
  readonly source: EntrySource;
  readonly rows: IndexRange;
  readonly cols: IndexRange;
  readonly symmetric: boolean;
  /** Bytes that the dense block may take to be kept. */
  readonly keepBytes: number;
}

/** The operator of a block of a source, on the team; evaluates what is kept. Throws as `entryOperator`. */
export async function openEntries(
  { source, rows, cols, symmetric, keepBytes }: EntryBlock,
  control: TeamControl,
): Promise<EntryOperator> {
  if (!(keepBytes >= 0))
    throw new OptionError(`keepBytes must be a number ≥ 0, not ${describe(keepBytes)}.`, {
      option: 'keepBytes',
      value: keepBytes,
    });
  const { team } = control;
  const numbers = rows.count * cols.count;
  const stored = symmetric && keepBytes > 0 && source instanceof DenseSource ? source.whole : undefined;
  const evaluated = stored === undefined && 8 * numbers <= keepBytes;
  // The other triangle is not looked at.
  if (evaluated && symmetric) requireSymmetric(source, SYMMETRY_SEED);
  const dense = stored ?? (evaluated ? sharedFloat64(numbers) : null);
  const { handle, modules, solo } = sourceState(source);
  const shared = await team.share<EntryState>({ source: handle, rows, cols, dense, symmetric }, { modules, solo });
  try {
    const panels = independentTasks(Math.ceil(cols.count / PANEL));
    if (evaluated) await team.run('evaluate the matrix', keepPanel, shared, panels, undefined, control);
  } catch (error) {
    team.release(shared);
    throw error;
  }
  // The rows of a symmetric matrix are its columns, which lie in one piece.
  return new EntryOperator(new SharedEntries(shared, team), symmetric, symmetric);
}

/**
 * The operator of a symmetric source: N² entries and 2N² flops a vector, or 2N² flops alone where 8N² bytes may be
 * kept, from N²/2 entries. A source without a descriptor is evaluated by the calling thread. Throws OptionError,
 * AsymmetryError and NonFiniteError where a sample of what is kept once for both triangles shows it, AbortedError, and
 * what the source throws.
 */
export async function entryOperator(
  source: EntrySource,
  options: EntryOperatorOptions = {},
  given: Control = {},
): Promise<EntryOperator> {
  requireSource(source, 'entryOperator');
  const { keepBytes = KEEP_BYTES } = requireKnownOptions(options, ENTRY_OPERATOR_KEYS, 'entryOperator');
  const control = await onTeam(given, 'entryOperator');
  const all = { first: 0, count: source.size };
  return openEntries({ source, rows: all, cols: all, symmetric: true, keepBytes }, control);
}
