/**
 * Samples of large nodes, evaluated and multiplied by several workers: near the root there are fewer nodes than
 * workers, and most of the work where ranks grow.
 *
 * Each worker has a piece of shared memory in which the node that it skeletonizes lies, as far as there is room: the
 * entries of the sample, its Gram matrices, and those of the decomposition. Entries are cut into fixed ranges of
 * columns, products into tiles (split-products.ts).
 */
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import type { DecompositionMemory } from '../../dense/interpolative.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { WorkerContext } from '../../parallel/task.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { Batch } from './row-sampler.js';
import { PRODUCT_SCALARS, PRODUCT_WORDS, SplitProducts, type ProductBoard, type Products } from './split-products.js';

/** What the workers share of the nodes that they skeletonize: one piece for each. */
export interface SplitMemory {
  /** Most candidate columns and skeletons of a node, rows of a batch, entries of a sample. */
  readonly columns: number;
  readonly rank: number;
  readonly rows: number;
  readonly entries: number;
  readonly integers: readonly Int32Array[];
  readonly numbers: readonly Float64Array[];
}

/** Nodes of fewer candidate columns are left to one worker. */
export const SPLIT_COLUMNS = 384;
/** Memory is shared for nodes of at most so many candidate columns. */
const MOST_COLUMNS = 4096;
/** Room for samples of so many rows for each column, and for so many entries more: beyond, they are not split. */
const ROWS_PER_COLUMN = 8;
const EXTRA_ENTRIES = 2 ** 20;
/** Columns of a range of entries. */
export const ENTRY_COLUMNS = 64;
/** Batches of fewer entries are evaluated by one worker. */
const LEAST_ENTRIES = 2 ** 14;

/** Words of a worker before those of its product: what is offered, and the batch's rows, columns and place. */
const [KIND, ROWS, COLUMNS, OFFSET] = [0, 1, 2, 3];
const HEAD_WORDS = 4;
const [ENTRIES, PRODUCT] = [1, 2];

/** Memory for `workers`, or undefined where no node of at most so many candidates would be split. */
export function splitMemory(workers: number, columns: number, maxRank: number): SplitMemory | undefined {
  if (columns < SPLIT_COLUMNS || columns > MOST_COLUMNS) return undefined;
  const rank = Math.min(columns, maxRank);
  const entries = ROWS_PER_COLUMN * columns ** 2 + EXTRA_ENTRIES;
  const rows = Math.floor(entries / SPLIT_COLUMNS);
  const integers = HEAD_WORDS + PRODUCT_WORDS + columns + rows;
  const numbers = PRODUCT_SCALARS + rows + entries + (3 * columns + 3 * rank) * columns + rank ** 2;
  return {
    columns,
    rank,
    rows,
    entries,
    integers: Array.from({ length: workers }, () => sharedInt32(integers)),
    numbers: Array.from({ length: workers }, () => sharedFloat64(numbers)),
  };
}

/** The parts of one worker's memory. */
interface Piece {
  readonly head: Int32Array;
  readonly columns: Int32Array;
  readonly rows: Int32Array;
  readonly weights: Float64Array;
  readonly entries: Float64Array;
  readonly board: ProductBoard;
  readonly grams: readonly [Float64Array, Float64Array];
  readonly decomposition: DecompositionMemory;
}

function pieceOf({ columns, rank, rows, entries, integers, numbers }: SplitMemory, worker: number): Piece {
  const cut = <A extends Int32Array | Float64Array>(array: A): ((length: number) => A) => {
    let begin = 0;
    return (length) => array.subarray(begin, (begin += length)) as A;
  };
  const [words, values] = [cut(integers[worker]), cut(numbers[worker])];
  return {
    head: words(HEAD_WORDS),
    columns: words(columns),
    rows: words(rows),
    weights: values(rows),
    entries: values(entries),
    board: { words: words(PRODUCT_WORDS), scalars: values(PRODUCT_SCALARS), numbers: numbers[worker] },
    grams: [values(columns ** 2), values(columns ** 2)],
    decomposition: {
      gram: values(columns ** 2),
      factor: values(columns * rank),
      corner: values(rank ** 2),
      work: values(columns * rank),
      interpolation: values(columns * rank),
    },
  };
}

/** out ← W·K(R, C), without gaps between columns. */
export function weightedEntries(source: EntrySource, { rows, weights }: Batch, columns: Int32Array, out: Matrix): void {
  source.entries(rows, columns, out);
  const { data, offset } = out;
  const m = rows.length;
  for (let j = 0, p = offset; j < columns.length; j++) for (let i = 0; i < m; i++, p++) data[p] *= weights[i];
}

/** One worker's node, and the parts it takes of others'. */
export class SplitSample {
  /** Where a node's sample, its Gram matrices and its decomposition lie. */
  readonly entries: Float64Array;
  readonly grams: readonly [Float64Array, Float64Array];
  readonly decomposition: DecompositionMemory;
  /** Products, by parts where all operands lie here. */
  readonly products: Products;
  readonly #pieces: readonly Piece[];
  readonly #own: Piece;
  readonly #source: EntrySource;
  readonly #context: WorkerContext;
  readonly #ofProducts: SplitProducts;

  constructor(memory: SplitMemory, source: EntrySource, context: WorkerContext) {
    this.#pieces = memory.numbers.map((_, worker) => pieceOf(memory, worker));
    this.#own = this.#pieces[context.worker];
    this.#source = source;
    this.#context = context;
    const { head, board, entries, grams, decomposition } = this.#own;
    const runParts: WorkerContext['runParts'] = (count, run) => {
      head[KIND] = PRODUCT;
      context.runParts(count, run);
    };
    this.#ofProducts = new SplitProducts(board, { ...context, runParts });
    this.products = this.#ofProducts;
    this.entries = entries;
    this.grams = grams;
    this.decomposition = decomposition;
  }

  /** out ← W·K(R, C), by ranges of columns where there are many and `out` lies here. */
  evaluate({ rows, weights }: Batch, columns: Int32Array, out: Matrix): void {
    const { head, entries, ...own } = this.#own;
    const [m, n] = [rows.length, columns.length];
    if (n < SPLIT_COLUMNS || m * n < LEAST_ENTRIES || m > own.rows.length || out.data !== entries) {
      weightedEntries(this.#source, { rows, weights }, columns, out);
      return;
    }
    own.rows.set(rows);
    own.weights.set(weights);
    own.columns.set(columns);
    head.set([ENTRIES, m, n, out.offset]);
    this.#context.runParts(Math.ceil(n / ENTRY_COLUMNS), (part) => {
      this.part(this.#context.worker, part);
    });
  }

  /** Does a part of what a worker offers. */
  part(owner: number, part: number): void {
    const { head, rows, columns, weights, entries, board } = this.#pieces[owner];
    if (head[KIND] === PRODUCT) {
      this.#ofProducts.part(board, part);
      return;
    }
    const m = head[ROWS];
    const first = part * ENTRY_COLUMNS;
    const some = columns.subarray(first, Math.min(first + ENTRY_COLUMNS, head[COLUMNS]));
    const out = view(entries, head[OFFSET] + first * m, m, some.length);
    weightedEntries(this.#source, { rows: rows.subarray(0, m), weights: weights.subarray(0, m) }, some, out);
  }
}
