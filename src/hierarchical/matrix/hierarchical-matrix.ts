/**
 * The hierarchical matrix: what `compress` returns.
 */
import { OptionError, ShapeError } from '../../core/errors.js';
import { ROUNDOFF } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Matrix, Precision, FlatVector, FloatArray, Vectors } from '../../dense/matrix.js';
import type { Device } from '../../device/device.js';
import type { LinearOperator, OwnRowsOperator } from '../../operator/linear-operator.js';
import { movedRows } from '../../operator/moved-rows.js';
import type { RowShare } from '../../operator/row-share.js';
import { toDense } from '../../operator/to-dense.js';
import { trustClass } from '../../operator/self-check.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { requireControl, type RunControl } from '../../core/context.js';
import { requireKnownOptions } from '../../core/known-options.js';
import { warn } from '../../core/warning.js';
import { requireSource, type EntrySource, lettingGo } from '../../source/entry-source.js';
import { applyGraph, applyState, applyTask, bytesOfVector, type ApplyArguments, type ApplyState } from './apply.js';
import { diagonalOrder, type HierarchicalData } from './data.js';
import { DeviceMatrix } from '../device/device-matrix.js';
import type { DeviceMatrixOptions } from '../device/device-options.js';
import { ERROR_KEYS, estimateError, type ErrorOptions } from '../measure/error-estimate.js';
import type { ErrorEstimate } from '../measure/error-interval.js';
import type { Layout } from './layout.js';
import { requireProduct } from './product-operands.js';
import { memoryUse, type MemoryUse, ranksByLevel, ranksOf, type LevelRanks } from './memory.js';
import type { CompressionReport } from './report.js';
import type { Kept } from '../../io/contents.js';
import { gatherMatrix, gatherOutline, ROOT, toldByRoot, type Outline } from '../ranks/gather.js';
import { ownVectors, placesOfRows, rowShareOf } from '../ranks/own-rows.js';
import { RankProduct } from '../ranks/product.js';
import { wholeOrder } from '../ranks/whole.js';
import { placesOf } from './transposed-vectors.js';
import { VectorChunks } from './vector-chunks.js';
import { firstLeaf, leavesOf, type ClusterTree } from '../../tree/cluster-tree.js';

/** Releases what workers hold for matrices that have been garbage-collected; `release` does it at once. */
/** Products by blocks that were sent to a device are off by so many units of rounding. */
const SENT_ROUNDING = 16;

const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** A workspace, and what runs products over it. */
interface PreparedProduct {
  readonly shared: Shared<ApplyState>;
  readonly run: (args: ApplyArguments) => void;
}

/**
 * Symmetric K̃ ≈ K over a team; products in O(N log N) or less. Nothing in it changes after it is made, but that
 * several ranks complete the order of `data.tree` when vectors are whole.
 */
export class HierarchicalMatrix<R extends CompressionReport = CompressionReport> implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly data: HierarchicalData;
  readonly elements: Layout['elements'];
  readonly report: R;
  readonly #team: Team;
  #product: PreparedProduct | undefined;
  #graph: TaskGraph | undefined;
  #ranks: RankProduct | undefined;
  #rows: { readonly share: RowShare; readonly operator: OwnRowsOperator } | undefined;
  readonly #chunks: VectorChunks;
  #released = false;

  constructor(data: HierarchicalData, elements: Layout['elements'], report: R, team: Team) {
    this.rows = data.tree.size;
    this.cols = data.tree.size;
    this.data = data;
    this.elements = elements;
    this.report = report;
    this.#team = team;
    this.#chunks = new VectorChunks(this.rows, bytesOfVector(data), team.communicator);
  }

  get size(): number {
    return this.rows;
  }

  /** That of the stored numbers. */
  get precision(): Precision {
    return this.data.dtype;
  }

  /**
   * Y = K̃·X for X of size N × p; returns `out` or a new matrix of X's precision. Cost ≈ 2p·(stored elements of
   * diagonal, basis, near and coupling, each but the diagonal used twice) flops. An array of N numbers is one vector.
   * Throws ShapeError where the sizes do not fit.
   */
  apply(vectors: FlatVector | Matrix<Float64Array>, out?: undefined): Matrix<Float64Array>;
  /** As before, into `out`. */
  apply<A extends FloatArray>(vectors: Vectors, out: Matrix<A>): Matrix<A>;
  /** As before, for vectors of either precision. */
  apply(vectors: Vectors, out?: Matrix): Matrix;
  apply(vectors: Vectors, out?: Matrix): Matrix {
    const { x, y } = requireProduct(this.rows, vectors, out);
    this.applyUnchecked(y, x, 1, 0);
    return y;
  }

  /** out ← α·K̃·X + β·out, shapes taken on trust. */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const { shared, run } = this.#prepare(x.cols, true);
    this.#chunks.run(out, x, shared.state.width, beta !== 0, (to, from) => {
      run({ x: from, out: to, alpha, beta });
    });
  }

  /**
   * The indices whose rows of vectors are this rank's own, where several have the matrix: its part of the tree's order.
   * All ranks together have each index once; a rank alone has all of them.
   */
  get own(): Int32Array {
    return this.#onOwnRows().share.indices.slice();
  }

  /**
   * Y(own, :) of Y = K̃·X from X(own, :), both (own rows) × p: `apply` without gathering the result on all ranks.
   * Collective. Row r is that of index own[r]. Throws ShapeError.
   */
  applyOwn(vectors: Vectors, out?: Matrix): Matrix {
    const { operator } = this.#onOwnRows();
    const { x, y } = ownVectors(vectors, out, operator.rows);
    operator.applyUnchecked(y, x, 1, 0);
    return y;
  }

  /** K̃ over own rows (`ownRows`): those of `own`, or those given, which may be of another tree. */
  onRows(): OwnRowsOperator;
  onRows(rows?: RowShare): OwnRowsOperator | undefined;
  onRows(rows?: RowShare): OwnRowsOperator | undefined {
    const { operator } = this.#onOwnRows();
    return rows === undefined ? operator : movedRows(operator, rows);
  }

  /** All N² entries; for small matrices and tests. Throws MemoryError. */
  toDense(): Matrix {
    return toDense(this);
  }

  /**
   * out[i] ← K̃(i, i), which is K(i, i) where K was seen through its entries; returns `out`. Leaves are stored as they
   * are.
   */
  diagonal(out: Float64Array = new Float64Array(this.rows)): Float64Array {
    const { tree, offsets, values, share } = this.data;
    out.fill(0);
    for (let leaf = 0; leaf < leavesOf(tree); leaf++) {
      const ν = firstLeaf(tree) + leaf;
      if (share?.held[ν] === 0) continue;
      const m = diagonalOrder(tree, leaf >> 1);
      let at = offsets.diagonal[leaf >> 1] + ((leaf & 1) === 1 ? m : 0);
      for (let p = tree.begin[ν]; p < tree.end[ν]; p++, at += m + 1) out[tree.order[p]] = values[at];
    }
    if (share !== undefined) this.#team.communicator.allreduce(out, 'sum');
    return out;
  }

  memory(): MemoryUse {
    return memoryUse(this.data, this.elements);
  }

  /** Ranks by level, the root's level first; levels without bases are left out. */
  ranks(): LevelRanks[] {
    const { skeletons, share } = this.data;
    return ranksByLevel(share === undefined ? ranksOf(skeletons) : share.skeletonRanks);
  }

  /** Flops of a product with p vectors: 2p for each stored element each time it is used. */
  flops(p: number): number {
    const { basis, coupling, near } = this.elements;
    const { tree } = this.data;
    let diagonal = 0;
    for (let ν = firstLeaf(tree); ν < tree.begin.length; ν++) diagonal += (tree.end[ν] - tree.begin[ν]) ** 2;
    return 2 * p * (diagonal + 2 * (basis + coupling + near));
  }

  /**
   * Puts the matrix on a device (`openDevice`), where it multiplies: blocks and lists are sent once and stay until
   * `release`. This copy stays as it is. Memory there: the stored blocks in the precision of the device, of diagonal
   * blocks both triangles, and 2(N + skeletons) numbers a vector. With the kernel `source` that it was compressed
   * from, a card evaluates near blocks and couplings from points, and interpolations alone are sent; a warning
   * ('device-entries') says where that costs more than the tolerance. Throws OptionError, and before anything is sent
   * MemoryError; NonFiniteError for numbers beyond float32, DeviceError, DeviceLostError.
   */
  async to(device: Device, options: DeviceMatrixOptions = {}): Promise<DeviceMatrix> {
    this.requireUsable();
    const made = await DeviceMatrix.make(this.data, device, options, (x) => this.apply(x));
    const { evaluationError: error = 0, precision } = made;
    const { tolerance } = this.report;
    // Products with blocks that were sent have as much of rounding.
    if (error > Math.max(tolerance, SENT_ROUNDING * ROUNDOFF[precision]))
      warn(
        'device-entries',
        `Products with blocks that the device evaluated in ${precision} are ${error.toExponential(0)} off, more than ` +
          `the tolerance ${tolerance}: scale or centre the points, or leave { source } out.`,
      );
    return made;
  }

  /** Compares K̃ with the source it came from (hierarchical/measure/error-estimate.ts). */
  async estimateError(
    source: EntrySource,
    options: ErrorOptions = {},
    control: RunControl = {},
  ): Promise<ErrorEstimate> {
    requireSource(source, 'estimateError');
    requireKnownOptions(options, ERROR_KEYS, 'estimateError');
    requireControl(control, 'estimateError');
    if (source.size !== this.size)
      throw new ShapeError(`The source has ${source.size} rows, the matrix ${this.size}.`, {
        source: source.size,
        size: this.size,
      });
    const own = { ...control, team: this.#team };
    return lettingGo(source, own, () => estimateError(source, this, options, own));
  }

  /** Frees what the workers hold of it; the matrix cannot multiply any more. */
  release(): void {
    this.#released = true;
    this.#letGo();
    this.#chunks.release();
  }

  /**
   * What a file keeps: where several ranks have the matrix, put together on the first one (ranks/gather.ts), and what
   * they do as it is written. Collective.
   */
  whole(): Pick<HierarchicalMatrix, 'data' | 'elements' | 'report'> & Pick<Kept, 'ranks'> {
    const { data, elements, report } = this;
    const { communicator } = this.#team;
    if (data.share === undefined && communicator.size === 1) return { data, elements, report };
    const gathered = data.share === undefined ? { data, elements } : gatherMatrix(data, data.share, communicator);
    return { ...gathered, report, ranks: { writes: communicator.rank === ROOT, done: toldByRoot(communicator) } };
  }

  /** Where the blocks of the whole matrix stand, whoever has them. Where several ranks have the matrix: collective. */
  outline(): Outline {
    const { data, elements } = this;
    const { lists, offsets, share } = data;
    if (share !== undefined) return gatherOutline(data, share, this.#team.communicator);
    return { lists, begin: data.skeletons.begin, offsets, elements };
  }

  /**
   * The cluster tree with the order of all leaves. Where several ranks have the matrix: collective, once a gathering of
   * 4N bytes.
   */
  wholeTree(): ClusterTree {
    wholeOrder(this.data, this.#team.communicator);
    return this.data.tree;
  }

  /** Throws OptionError after `release`. */
  requireUsable(): void {
    if (this.#released) throw new OptionError('The matrix was released.');
  }

  /** Room for products with so many vectors, whole ones or of own rows. */
  #prepare(vectors: number, whole: boolean): PreparedProduct {
    this.requireUsable();
    const width = this.#chunks.width(vectors);
    const before = this.#product?.shared.state;
    const isWide = before !== undefined && before.width >= width;
    const hasPlaces = !whole || (before !== undefined && before.place.length > 0);
    if (isWide && hasPlaces) return this.#product!;
    const place = hasPlaces ? (before?.place ?? sharedInt32(0)) : placesOf(this.wholeTree().order);
    const state = isWide ? { ...before, place } : applyState(this.data, width, place);
    this.#letGo();
    const team = this.#team;
    const shared = team.shareNow(state);
    abandoned.register(this, () => team.release(shared), this);
    this.#product = { shared, run: this.#runner(shared) };
    return this.#product;
  }

  /** Runs a product over a workspace: on this rank's team, and where several have the matrix, with the others. */
  #runner(shared: Shared<ApplyState>): PreparedProduct['run'] {
    const { data } = this;
    const team = this.#team;
    if (data.share !== undefined) {
      const product = (this.#ranks ??= new RankProduct(data, data.share, team));
      return (args) => product.run(shared, args);
    }
    const graph = (this.#graph ??= applyGraph(data));
    return (args) => team.runSync(applyTask, shared, graph, args);
  }

  /** This rank's rows, and the products with them. */
  #onOwnRows(): { readonly share: RowShare; readonly operator: OwnRowsOperator } {
    if (this.#rows !== undefined) return this.#rows;
    const { tree, share: dealt } = this.data;
    const share = rowShareOf(tree, dealt, this.#team.communicator, () => {
      this.wholeTree();
    });
    const places = placesOfRows(share);
    const operator: OwnRowsOperator = {
      rows: share.rows,
      cols: share.rows,
      symmetric: true,
      precision: this.precision,
      rowShare: share,
      applyUnchecked: (out, x, alpha, beta) => {
        const { shared, run } = this.#prepare(x.cols, false);
        this.#chunks.run(out, x, shared.state.width, beta !== 0, (to, from) => {
          run({ x: from, out: to, alpha, beta, own: places });
        });
      },
    };
    return (this.#rows = { share, operator });
  }

  #letGo(): void {
    if (this.#product !== undefined) this.#team.release(this.#product.shared);
    abandoned.unregister(this);
    this.#product = undefined;
  }
}
trustClass(HierarchicalMatrix);
