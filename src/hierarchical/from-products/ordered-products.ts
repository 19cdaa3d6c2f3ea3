/**
 * Products with an operator, in the order of a tree.
 * Columns go to the operator in the caller's order, in blocks wide enough for its level-3 work and narrow enough for
 * memory, and come back in tree order.
 */
import { throwIfAborted } from '../../core/context.js';
import { NonFiniteError } from '../../core/errors.js';
import { nextTurn } from '../../core/event-loop.js';
import { sharedFloats } from '../../core/floats.js';
import { block, view, type FloatArray, type Matrix, type Precision } from '../../dense/matrix.js';
import { gatherPortions, ownPortion } from '../../distributed/portion.js';
import { together } from '../../distributed/together.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { defineTask } from '../../parallel/task.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Shared } from '../../parallel/team.js';

/** Elements of a block of vectors at most: 128 MiB in float64. */
const MOST_ELEMENTS = 2 ** 24;
const LEAST_WIDTH = 8;

/** Columns given to the operator at once, of `wanted`: balanced blocks of at most MOST_ELEMENTS. */
export function productWidth(size: number, wanted: number): number {
  const most = Math.max(LEAST_WIDTH, Math.floor(MOST_ELEMENTS / size));
  return Math.ceil(wanted / Math.max(1, Math.ceil(wanted / most)));
}

interface PermuteState {
  readonly order: Int32Array;
  readonly incoming: FloatArray;
  readonly outgoing: FloatArray;
}
/** Columns of the block, where they stand in tree order, and what products are multiplied by. */
interface PermuteArguments {
  readonly tree: Matrix;
  readonly first: number;
  readonly factor: number;
}

/** How an operator will be multiplied with. */
export interface ProductsSetup {
  /** Precision of the vectors that the operator is given. */
  readonly precision: Precision;
  /** How many vectors will be multiplied, for progress. */
  readonly expected: number;
  /** Most of them in one call. */
  readonly widest: number;
}

/** Multiplies with one operator in tree order; counts vectors and seconds, reports progress. */
export class OrderedProducts {
  /** Vectors multiplied so far, and the seconds the operator took for them. */
  done = 0;
  seconds = 0;
  /** Products are multiplied by it: a power of two. */
  factor = 1;
  readonly #operator: LinearOperator;
  readonly #control: TeamControl;
  readonly #expected: number;
  readonly #width: number;
  readonly #state: PermuteState;
  readonly #graphs = new Map<number, TaskGraph>();
  #shared: Shared<PermuteState> | undefined;

  constructor(
    operator: LinearOperator,
    order: Int32Array,
    { precision, expected, widest }: ProductsSetup,
    control: TeamControl,
  ) {
    this.#operator = operator;
    this.#control = control;
    this.#expected = expected;
    this.#width = productWidth(order.length, widest);
    const allocate = (): FloatArray => sharedFloats(order.length * this.#width, precision);
    this.#state = { order, incoming: allocate(), outgoing: allocate() };
  }

  /**
   * out ← factor·A·x, both in tree order over shared float64 memory. Throws NonFiniteError where the operator gives
   * NaN or ∞; AbortedError.
   */
  async multiply(out: Matrix, x: Matrix): Promise<void> {
    const { team, signal, onProgress } = this.#control;
    const { order, incoming, outgoing } = this.#state;
    const size = order.length;
    this.#shared ??= await team.share(this.#state);
    for (let first = 0; first < x.cols; first += this.#width) {
      throwIfAborted(signal);
      const columns = Math.min(this.#width, x.cols - first);
      const graph = this.#tasks(columns);
      team.runSync(toCallersOrder, this.#shared, graph, { tree: x, first, factor: 1 });
      const began = performance.now();
      this.#multiplyColumns(view(outgoing, 0, size, columns), view(incoming, 0, size, columns));
      this.seconds += (performance.now() - began) / 1000;
      this.done += columns;
      team.runSync(toTreeOrder, this.#shared, graph, { tree: out, first, factor: this.factor });
      onProgress?.({ phase: 'products', done: Math.min(this.done, this.#expected), total: this.#expected });
      // Between two blocks the caller's timers and signals have their turn.
      await nextTurn();
    }
    throwIfAborted(signal);
  }

  /** out ← A·x; of a columnwise operator each rank's portion of the columns, which all get. */
  #multiplyColumns(out: Matrix, x: Matrix): void {
    const operator = this.#operator;
    const { communicator } = this.#control.team;
    if (operator.columnwise !== true || communicator.size === 1) {
      operator.applyUnchecked(out, x, 1, 0);
      return;
    }
    const { rows, cols } = x;
    const { first, end } = ownPortion(communicator, cols);
    together(communicator, () => {
      if (end > first)
        operator.applyUnchecked(block(out, 0, first, rows, end - first), block(x, 0, first, rows, end - first), 1, 0);
    });
    gatherPortions(communicator, out.data, cols, { begin: 0, endOf: (column) => (column + 1) * rows });
  }

  /** Releases what the workers hold. */
  release(): void {
    if (this.#shared !== undefined) this.#control.team.release(this.#shared);
    this.#shared = undefined;
  }

  #tasks(columns: number): TaskGraph {
    let graph = this.#graphs.get(columns);
    if (graph === undefined) {
      graph = independentTasks(columns);
      this.#graphs.set(columns, graph);
    }
    return graph;
  }
}

/** Column `task` of the block, rounded if the operator takes float32. */
export const toCallersOrder = defineTask<PermuteState, PermuteArguments>(
  import.meta.url,
  'toCallersOrder',
  ({ order, incoming }) =>
    (column, { tree, first }) => {
      const from = tree.offset + (first + column) * tree.ld;
      const to = column * order.length;
      const { data } = tree;
      for (let p = 0; p < order.length; p++) incoming[to + order[p]] = data[from + p];
    },
);

/** One column of products, from the operator's order into the tree's, times the factor. Throws NonFiniteError. */
export const toTreeOrder = defineTask<PermuteState, PermuteArguments>(
  import.meta.url,
  'toTreeOrder',
  (state) =>
    (column, { tree, first, factor }) => {
      const { order, outgoing } = state;
      const to = tree.offset + (first + column) * tree.ld;
      const from = column * order.length;
      const { data } = tree;
      for (let p = 0; p < order.length; p++) {
        const value = outgoing[from + order[p]];
        if (value - value !== 0) {
          throw new NonFiniteError(
            `The operator's product with a random vector is ${value} in row ${order[p]}: it must give finite ` +
              'numbers for finite vectors (in float32, no entry beyond 3.4e38).',
            { row: order[p], value },
          );
        }
        data[to + p] = factor * value;
      }
    },
);
