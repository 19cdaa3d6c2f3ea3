/**
 * The operator behind Gauss–Newton, Hessian and Fisher matrices: A = (1/n) Σ_i A_i over the samples of a model, seen
 * through products. Where the passes of all samples fit the memory limit they are made once and kept; else each product
 * reads the data batch by batch, makes the batch's passes and adds its part, for all vectors at a time. Each of several
 * ranks holds passes of its own samples alone; all of them multiply together, and all get the product.
 */
import { OptionError } from '../../core/errors.js';
import { floats, sharedFloats } from '../../core/floats.js';
import type { KeysOf } from '../../core/known-options.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat32, sharedFloat64 } from '../../core/shared-array.js';
import { sumPlaces } from '../../core/sum-tree.js';
import type { Blas } from '../../dense/blas.js';
import type { WithBlas } from '../../dense/default-blas.js';
import { block, copyInto, view, type FloatArray, type Matrix, type Precision } from '../../dense/matrix.js';
import { GROUP_SHARES, groupPlaces } from '../../distributed/sample-groups.js';
import { exchangeNumbers, placeOf, SampleRanks } from '../../distributed/sample-ranks.js';
import { together } from '../../distributed/together.js';
import type { DataSet } from '../../network/data-set.js';
import type { Model } from '../../network/model.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { trustClass } from '../../operator/self-check.js';
import { runAlone } from '../../parallel/parts.js';
import type { TaskDefinition, TaskBody, WorkerContext } from '../../parallel/task.js';
import { independentTasks, taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { curvatureDiagonal } from '../kronecker/curvature-diagonal.js';
import { piecesOf, prepareTask, readBatch } from './prepare-passes.js';
import { ReducedLayer } from './reduced-layer.js';
import { cutNodes, stepsWithin, type Batch, type Parts, type SampleCut } from './sample-cut.js';
import {
  partsWanted,
  productEdges,
  productTask,
  splitProduct,
  sumNumbers,
  type ProductArguments,
} from './split-product.js';
import {
  allocateState,
  bytesOf,
  drawsOf,
  type CurvatureMemory,
  type SampleState,
  type SampleSum,
} from './sample-state.js';

/** What every curvature operator takes. */
export interface CurvatureOptions extends CurvatureMemory {
  /** The backend of products where there is no team. Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /**
   * Shares the work of each product; results have the same bits for every team and without one. Ranks of its
   * communicator share the samples: all of them make the operator and each product together.
   */
  readonly team?: Team | undefined;
}
/** The keys of {@link CurvatureOptions}. */
export const CURVATURE_KEYS: KeysOf<CurvatureOptions> = {
  batchSize: 'number',
  memoryLimit: 'number',
  blas: true,
  team: true,
};

/** Samples that are asked of a data set at a time, where the caller names no batch size. */
const READ_AT_A_TIME = 1024;
/** Numbers of staged vectors: vectors of a slab are a multiple of 64 from 64 to 256. */
const STAGED_NUMBERS = 2 ** 24;
/** Numbers of sums over shared memory that are aimed at: 512 MiB in double precision. */
const SHARED_SUMS = 2 ** 26;
/** Fewest vectors for which the passes of all batches are made anew: they take a tenth of the products' time then. */
const FEWEST_REMADE = 8;
/**
 * Where products in float32 are below this share of their vectors, vectors are multiplied as if their largest entry
 * were about LENGTHENED, so that no term falls below the range.
 */
const TINY = 2 ** -60;
const LENGTHENED = 2 ** 64;
const PROBE_STREAM = 0x74696e79;
const slabWidth = (size: number): number => Math.max(1, Math.min(4, Math.floor(STAGED_NUMBERS / (64 * size)))) * 64;

/** What is multiplied, and how. */
type Vectors = Pick<ProductArguments, 'x' | 'out' | 'alpha' | 'beta' | 'scale' | 'split'>;

/** Releases what workers hold for operators that have been garbage-collected; `release` does it at once. */
const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** A curvature matrix (N × N) as an operator; `kind` says which. */
export class SampleOperator implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  /** What it is the curvature of, and which: approximations by structure are made from these. */
  readonly model: Model;
  readonly kind: SampleSum['kind'];
  /** The exact diagonal of a Gauss–Newton matrix or a Hessian, in float64, as `curvatureDiagonal`. */
  readonly diagonal: ((out: Float64Array) => void) | undefined;
  /** n, and how many samples' passes are held at a time: all that are this rank's (made once), or those of a batch. */
  readonly samples: number;
  readonly capacity: number;
  /** Bytes of the passes and parameters held. */
  readonly bytes: number;
  readonly #data: DataSet;
  readonly #blas: Blas;
  readonly #team: Team | undefined;
  readonly #piece: number;
  readonly #cut: SampleCut;
  readonly #ranks: SampleRanks;
  readonly #reduced: ReducedLayer;
  readonly #shared: Shared<SampleState> | undefined;
  readonly #bodies = new Map<string, TaskBody<unknown>>();
  readonly #graphs = new Map<string, TaskGraph>();
  #state: SampleState | undefined;
  #partial: FloatArray | null = null;
  /** Sums of all ranks. */
  #total: FloatArray | null = null;
  /** Whether products are so small that vectors have to be lengthened; unknown before the first product. */
  #tiny: boolean | undefined;
  #staging: { x: FloatArray; out: FloatArray } | undefined;

  constructor(model: Model, sum: SampleSum, options: WithBlas<CurvatureOptions>) {
    const { team } = options;
    const communicator = team?.communicator;
    const { state, cut } = allocateState(model, sum, options, placeOf(communicator));
    this.rows = model.network.parameters;
    this.cols = this.rows;
    this.model = model;
    const { kind } = sum;
    this.kind = kind;
    this.diagonal =
      kind === 'gradients'
        ? undefined
        : (out) => {
            out.set(curvatureDiagonal(model, { blas: options.blas, batchSize: options.batchSize, kind, team }).values);
          };
    this.samples = model.data.samples;
    this.capacity = state.capacity;
    this.bytes = bytesOf(state);
    this.#data = model.data;
    this.#blas = options.blas;
    this.#team = options.team;
    this.#piece = options.batchSize ?? READ_AT_A_TIME;
    this.#state = state;
    this.#cut = cut;
    const numbers = exchangeNumbers(this.rows);
    const exchange = placeOf(communicator).ranks > 1 ? floats(numbers, state.precision) : null;
    this.#ranks = new SampleRanks(communicator, GROUP_SHARES, exchange);
    this.#reduced = new ReducedLayer(state, cut, team?.blas ?? options.blas);
    if (team !== undefined) {
      const shared = team.shareNow(state);
      this.#shared = shared;
      abandoned.register(this, () => team.release(shared), this);
    }
    try {
      together(communicator, () => {
        if (this.kept) cut.batches.forEach((batch) => this.#prepare(batch));
      });
      if (cut.whole) this.#finishReduced();
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Whether the passes of all samples that are this rank's are kept; else each product makes them anew. */
  get kept(): boolean {
    return this.#cut.batches.length <= 1;
  }

  /** That of the parameters. */
  get precision(): Precision {
    return this.model.parameters instanceof Float32Array ? 'f32' : 'f64';
  }

  /** 8nN a vector, about (arXiv 1910.12184). */
  flops(vectors: number): number {
    return 8 * this.samples * this.rows * vectors;
  }

  /** out ← α·A·X + β·out, shapes taken on trust; precisions may differ. */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    this.#tiny ??= this.#live().precision === 'f32' && this.#probed();
    this.#multiply(out, x, alpha, beta);
  }

  /** Vectors by slabs, of which workers see copies where they cannot see the vectors. */
  #multiply(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const { whole, segment } = this.#cut;
    const state = this.#live();
    // The choice is the same on all ranks, of which some may keep their passes where others do not.
    const room = Math.floor(SHARED_SUMS / (sumNumbers(state) * groupPlaces(this.samples)));
    const slab = whole ? slabWidth(this.rows) : Math.min(slabWidth(this.rows), Math.max(FEWEST_REMADE, room));
    for (let first = 0; first < x.cols; first += slab) {
      const p = Math.min(slab, x.cols - first);
      const split = splitProduct(state, p, { samples: this.samples, segment });
      const vectors = block(x, 0, first, x.rows, p);
      const target = block(out, 0, first, out.rows, p);
      const visible = this.#team === undefined || out.data.buffer instanceof SharedArrayBuffer;
      const ys = visible ? target : this.#staged('out', out.data, p);
      if (!visible && beta !== 0) copyInto(ys, target);
      const scale = this.#scaleFor(vectors);
      const product = { alpha: alpha / (this.samples * drawsOf(state.sum)) / scale, beta, scale, split };
      const xs = this.#visible(vectors);
      // Several ranks exchange some groups of vectors at a time, where sums of all would take much memory.
      const wave = this.#ranks.many && whole ? split.width * Math.max(1, Math.floor(room / split.width)) : p;
      for (let k = 0; k < p; k += wave) {
        const count = Math.min(wave, p - k);
        this.#product({ ...product, x: block(xs, 0, k, x.rows, count), out: block(ys, 0, k, out.rows, count) });
      }
      if (!visible) copyInto(target, ys);
    }
  }

  /**
   * By a product with one seeded vector: networks whose outputs are all but certain have entries down to 1e-43 and
   * below.
   */
  #probed(): boolean {
    const x = view(sharedFloat64(this.rows), 0, this.rows, 1);
    const out = view(sharedFloat64(this.rows), 0, this.rows, 1);
    new RandomStream(0, PROBE_STREAM).fillNormal(x.data as Float64Array);
    this.#tiny = false;
    this.#multiply(out, x, 1, 0);
    return out.data.every((value) => Math.abs(value) < TINY);
  }

  /** The power of two that vectors are multiplied by, and their products divided by. */
  #scaleFor(x: Matrix): number {
    if (this.#tiny !== true) return 1;
    let largest = 0;
    for (let j = 0; j < x.cols; j++)
      for (let i = x.offset + j * x.ld, end = i + x.rows; i < end; i++)
        largest = Math.max(largest, Math.abs(x.data[i]));
    return largest > 0 && Number.isFinite(largest) ? LENGTHENED / 2 ** Math.round(Math.log2(largest)) : 1;
  }

  /** Frees the passes, here and on the team; the operator cannot multiply any more. */
  release(): void {
    if (this.#team !== undefined && this.#shared !== undefined && this.#state !== undefined)
      this.#team.release(this.#shared);
    abandoned.unregister(this);
    this.#state = undefined;
    this.#bodies.clear();
    this.#partial = null;
    this.#total = null;
    this.#staging = undefined;
  }

  #live(): SampleState {
    if (this.#state === undefined) throw new OptionError('The operator was released.');
    return this.#state;
  }

  #run<A>(definition: TaskDefinition<SampleState, A>, graph: TaskGraph, args: A): void {
    const state = this.#live();
    if (this.#team !== undefined && this.#shared !== undefined) {
      this.#team.runSync(definition, this.#shared, graph, args);
      return;
    }
    let body = this.#bodies.get(definition.name) as TaskBody<A> | undefined;
    if (body === undefined) {
      const context: WorkerContext = {
        blas: this.#blas,
        worker: 0,
        workers: 1,
        modules: () => ({}),
        runParts: runAlone,
      };
      body = definition.bind(state, context);
      this.#bodies.set(definition.name, body as TaskBody<unknown>);
    }
    // Tasks are numbered so that each comes after those it waits for.
    for (let task = 0; task < graph.count; task++) body(task, args);
  }

  #graph(tasks: number): TaskGraph {
    return this.#known(`${tasks}`, () => independentTasks(tasks));
  }

  #combining(groups: number, parts: number): TaskGraph {
    const graph = (): TaskGraph => taskGraph(groups * (parts + 1), productEdges(groups, parts));
    return this.#known(`${groups} × ${parts}`, graph);
  }

  #known(key: string, make: () => TaskGraph): TaskGraph {
    let graph = this.#graphs.get(key);
    if (graph === undefined) this.#graphs.set(key, (graph = make()));
    return graph;
  }

  /** Makes the passes of a batch. */
  #prepare(batch: Batch): void {
    const { first, count } = batch;
    const pieces = piecesOf(batch);
    readBatch(this.#live(), this.#data, first, count, this.#piece);
    this.#run(prepareTask, this.#graph(pieces.length), { first, pieces });
    if (!this.#reduced.isDone) this.#reduced.add(batch);
  }

  /** A product with vectors that workers can see. */
  #product({ x, out, alpha, beta, scale, split }: Vectors): void {
    const { batches, nodes, whole } = this.#cut;
    const { many } = this.#ranks;
    const groups = Math.ceil(x.cols / split.width);
    const parts = cutNodes(nodes, partsWanted(groups));
    const count = parts.nodes.length;
    const alone = whole && !many;
    const partial = alone && count === 1 ? null : this.#sums(parts, x.cols);
    const { combine } = parts;
    const args = { x, out, alpha, beta, scale, split, groups, partial, keepsPlaces: !this.kept, combine };
    const sweep = (): void => {
      batches.forEach((batch, b) => {
        if (!this.kept) this.#prepare(batch);
        const combines = partial !== null && b === batches.length - 1;
        const graph = combines ? this.#combining(groups, count) : this.#graph(groups * count);
        const steps = parts.nodes.map((node) => stepsWithin(node, batch));
        this.#run(productTask, graph, { ...args, steps, total: alone ? partial : null, finishes: false });
      });
    };
    if (alone) {
      sweep();
      return;
    }
    if (whole) sweep();
    else together(this.#team?.communicator, sweep);
    this.#finishReduced();
    const total = many ? this.#exchanged(partial!, parts, x.cols) : partial;
    this.#run(productTask, this.#graph(groups), { ...args, steps: [], total, finishes: true });
  }

  #finishReduced(): void {
    if (!this.#reduced.isDone) this.#reduced.finish(this.samples, this.#ranks);
  }

  /** Room for the sums of every part; where batches follow, for all places of each. */
  #sums({ nodes }: Parts, vectors: number): FloatArray {
    const state = this.#live();
    const places = this.kept ? 1 : Math.max(...nodes.map(({ count }) => sumPlaces(count)));
    const numbers = places * nodes.length * vectors * sumNumbers(state);
    if (this.#partial === null || this.#partial.length < numbers)
      this.#partial = sharedFloats(numbers, state.precision);
    return this.#partial;
  }

  /** The sums of all ranks' nodes. */
  #exchanged(partial: FloatArray, { firsts }: Parts, vectors: number): FloatArray {
    const state = this.#live();
    const numbers = vectors * sumNumbers(state);
    if (this.#total === null || this.#total.length < numbers) this.#total = sharedFloats(numbers, state.precision);
    const own = firsts.map((part) => partial.subarray(part * numbers, (part + 1) * numbers));
    this.#ranks.sum(this.samples, own, this.#total.subarray(0, numbers));
    return this.#total;
  }

  /** The columns themselves if workers can see them, else a copy that they can. */
  #visible(x: Matrix): Matrix {
    if (this.#team === undefined || x.data.buffer instanceof SharedArrayBuffer) return x;
    const copy = this.#staged('x', x.data, x.cols);
    copyInto(copy, x);
    return copy;
  }

  /** Shared room for p vectors of the precision of `like`. */
  #staged(which: 'x' | 'out', like: FloatArray, p: number): Matrix {
    const single = like instanceof Float32Array;
    const length = this.rows * p;
    const array = (): FloatArray => (single ? sharedFloat32(length) : sharedFloat64(length));
    this.#staging ??= { x: array(), out: array() };
    const held = this.#staging[which];
    if (held.length < length || held instanceof Float32Array !== single) this.#staging[which] = array();
    return view(this.#staging[which], 0, this.rows, p);
  }
}
trustClass(SampleOperator);
