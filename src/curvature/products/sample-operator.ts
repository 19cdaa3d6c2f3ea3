/**
 * The operator behind Gauss–Newton, Hessian and Fisher matrices: A = (1/n) Σ_i A_i over the samples of a model, seen
 * through products. Where the passes of all samples fit the memory limit they are made once and kept; else each product
 * reads the data batch by batch, makes the batch's passes and adds its part, for all vectors at a time.
 */
import { OptionError } from '../../core/errors.js';
import { sharedFloats } from '../../core/floats.js';
import type { KeysOf } from '../../core/known-options.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat32, sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import type { WithBlas } from '../../dense/default-blas.js';
import { copyInto, view, type FloatArray, type Matrix, type Precision } from '../../dense/matrix.js';
import type { DataSet } from '../../network/data-set.js';
import type { Model } from '../../network/model.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { trustClass } from '../../operator/self-check.js';
import { runAlone } from '../../parallel/parts.js';
import type { TaskDefinition, TaskBody, WorkerContext } from '../../parallel/task.js';
import { independentTasks, taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { curvatureDiagonal } from '../kronecker/curvature-diagonal.js';
import { prepareReduced, prepareTask, PREPARED_AT_A_TIME, readBatch } from './prepare-passes.js';
import {
  productEdges,
  productTask,
  splitProduct,
  sumNumbers,
  type ProductArguments,
  type Split,
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
  /** Shares the work of each product; results have the same bits for every team and without one. */
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
/**
 * Where products in float32 are below this share of their vectors, vectors are multiplied as if their largest entry
 * were about LENGTHENED, so that no term falls below the range.
 */
const TINY = 2 ** -60;
const LENGTHENED = 2 ** 64;
const PROBE_STREAM = 0x74696e79;
const slabWidth = (size: number): number => Math.max(1, Math.min(4, Math.floor(STAGED_NUMBERS / (64 * size)))) * 64;

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
  /** n, and how many samples' passes are held at a time: all of them (made once), or those of a batch. */
  readonly samples: number;
  readonly capacity: number;
  /** Bytes of the passes and parameters held. */
  readonly bytes: number;
  readonly #data: DataSet;
  readonly #blas: Blas;
  readonly #team: Team | undefined;
  readonly #piece: number;
  readonly #shared: Shared<SampleState> | undefined;
  readonly #bodies = new Map<string, TaskBody<unknown>>();
  readonly #graphs = new Map<string, TaskGraph>();
  #state: SampleState | undefined;
  #partial: FloatArray | null = null;
  /** Whether products are so small that vectors have to be lengthened; unknown before the first product. */
  #tiny: boolean | undefined;
  #staging: { x: FloatArray; out: FloatArray } | undefined;

  constructor(model: Model, sum: SampleSum, options: WithBlas<CurvatureOptions>) {
    const state = allocateState(model, sum, options);
    this.rows = model.network.parameters;
    this.cols = this.rows;
    this.model = model;
    const { kind } = sum;
    this.kind = kind;
    this.diagonal =
      kind === 'gradients'
        ? undefined
        : (out) => {
            out.set(curvatureDiagonal(model, { blas: options.blas, batchSize: options.batchSize, kind }).values);
          };
    this.samples = model.data.samples;
    this.capacity = state.capacity;
    this.bytes = bytesOf(state);
    this.#data = model.data;
    this.#blas = options.blas;
    this.#team = options.team;
    this.#piece = options.batchSize ?? READ_AT_A_TIME;
    this.#state = state;
    const { team } = options;
    if (team !== undefined) {
      const shared = team.shareNow(state);
      this.#shared = shared;
      abandoned.register(this, () => team.release(shared), this);
    }
    if (this.kept) {
      try {
        this.#prepare(0, this.samples);
      } catch (error) {
        this.release();
        throw error;
      }
    }
  }

  /** Whether the passes of all samples are kept; else each product makes them anew. */
  get kept(): boolean {
    return this.capacity === this.samples;
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

  #multiply(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    for (let first = 0; first < this.samples; first += this.capacity) {
      const count = Math.min(this.capacity, this.samples - first);
      if (!this.kept) this.#prepare(first, count);
      this.#product(out, x, alpha, first === 0 ? beta : 1, count);
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

  #graph(tasks: number, split: Split | null): TaskGraph {
    const key = split === null || split.parts === 1 ? `${tasks}` : `${split.groups} × ${split.parts}`;
    let graph = this.#graphs.get(key);
    if (graph === undefined)
      this.#graphs.set(
        key,
        (graph = split === null || split.parts === 1 ? independentTasks(tasks) : taskGraph(tasks, productEdges(split))),
      );
    return graph;
  }

  #prepare(first: number, count: number): void {
    const state = this.#live();
    readBatch(state, this.#data, first, count, this.#piece);
    this.#run(prepareTask, this.#graph(Math.ceil(count / PREPARED_AT_A_TIME), null), { first, count });
    prepareReduced(state, count, this.#team?.blas ?? this.#blas);
  }

  #product(out: Matrix, x: Matrix, alpha: number, beta: number, count: number): void {
    const state = this.#live();
    const slab = slabWidth(this.rows);
    for (let first = 0; first < x.cols; first += slab) {
      const p = Math.min(slab, x.cols - first);
      const split = splitProduct(state, p, count);
      const vectors = view(x.data, x.offset + first * x.ld, x.rows, p, x.ld);
      const scale = this.#scaleFor(vectors);
      const target = view(out.data, out.offset + first * out.ld, out.rows, p, out.ld);
      const visible = this.#team === undefined || out.data.buffer instanceof SharedArrayBuffer;
      const ys = visible ? target : this.#staged('out', out.data, p);
      if (!visible && beta !== 0) copyInto(ys, target);
      const args: ProductArguments = {
        x: this.#visible(vectors),
        out: ys,
        alpha: alpha / (this.samples * drawsOf(state.sum)) / scale,
        beta,
        scale,
        samples: count,
        split,
        partial: this.#sums(state, split),
      };
      this.#run(
        productTask,
        this.#graph(split.groups * split.parts + (split.parts > 1 ? split.groups : 0), split),
        args,
      );
      if (!visible) copyInto(target, ys);
    }
  }

  /** Room for the sums of every part, where there are several. */
  #sums(state: SampleState, { groups, parts, width }: Split): FloatArray | null {
    if (parts === 1) return null;
    const numbers = groups * parts * width * sumNumbers(state);
    if (this.#partial === null || this.#partial.length < numbers)
      this.#partial = sharedFloats(numbers, state.precision);
    return this.#partial;
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
