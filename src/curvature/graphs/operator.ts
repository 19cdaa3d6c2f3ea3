/**
 * Curvature of networks of layers through products: A = (1/n) Σ_i A_i over the samples of a model, on tapes. Where what
 * the forward passes keep of all samples fits the memory limit they are made once; else each product makes them again,
 * some slices at a time, for a block of vectors, with the same bits.
 */
import { requireMemoryLimit, requireWhole } from '../../core/checks.js';
import { MemoryError, NonFiniteError, OptionError } from '../../core/errors.js';
import { precisionOf, type Precision } from '../../core/floats.js';
import { inUnits } from '../../core/memory.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import type { WithBlas } from '../../dense/default-blas.js';
import { block, copyInto, view, type Matrix } from '../../dense/matrix.js';
import type { GraphModel } from '../../layers/graph-model.js';
import { planNetwork, type NetworkPlan, type ProductPass } from '../../layers/network-plan.js';
import { readSamples, requireFiniteParameters } from '../../layers/read-samples.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { openTapeMemory, otherBytes, sliceBytes, Tapes } from '../../layers/tape-memory.js';
import { lossWeight } from '../../layers/targets.js';
import { combine } from '../../operator/block-arithmetic.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { trustClass } from '../../operator/self-check.js';
import { runAlone } from '../../parallel/parts.js';
import type { TaskBody } from '../../parallel/task.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { phaseFlops } from '../../tape/plan/plan.js';
import { graphDiagonal, isAffordable } from '../kronecker/graph-diagonal.js';
import type { CurvatureOptions } from '../products/sample-operator.js';
import {
  graphPassTask,
  productParts,
  productWidth,
  sliceFor,
  vectorsOf,
  type GraphPasses,
  type PassArguments,
  type VectorPlaces,
} from './passes.js';

/** What 32-bit WebAssembly addresses, less the pages that a memory takes for itself. */
const ADDRESSED = 2 ** 32 - 2 ** 18;

/** Releases what workers hold for operators that have been garbage-collected; `release` does it at once. */
const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** Which matrix, and of the Monte Carlo Fisher matrix which labels are drawn. */
export interface GraphProduct {
  readonly kind: ProductPass;
  readonly draws?: number | undefined;
  readonly seed?: number | undefined;
}

/** A curvature matrix of a network of layers, over what is trained of θ; `kind` says which. */
export class GraphOperator implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly precision: Precision;
  readonly model: GraphModel;
  readonly kind: ProductPass;
  /**
   * The exact diagonal, in float64, as `graphDiagonal` sums it; absent of a Hessian, and of a Gauss–Newton matrix of
   * more than about a thousand outputs a sample.
   */
  readonly diagonal: ((out: Float64Array) => void) | undefined;
  /** n, and how many samples' passes are held at a time: all of them (made once), or some slices. */
  readonly samples: number;
  readonly capacity: number;
  /** Bytes of the memory: what the forward passes keep, vectors, θ and what workers work in. */
  readonly bytes: number;
  readonly #plan: NetworkPlan;
  readonly #slice: number;
  readonly #held: number;
  readonly #places: VectorPlaces;
  readonly #blas: Blas;
  readonly #team: Team | undefined;
  readonly #shared: Shared<GraphPasses> | undefined;
  readonly #graphs = new Map<number, TaskGraph>();
  /** Absent once it was released. */
  #mine: { readonly state: GraphPasses; readonly tapes: Tapes } | undefined;
  #body: TaskBody<PassArguments> | undefined;
  /** Samples, or tokens that are no padding, of all slices that were passed forward so far. */
  #weight = 0;

  /** Throws as `gaussNewton`. */
  constructor(model: GraphModel, product: GraphProduct, options: WithBlas<CurvatureOptions>) {
    const { kind, draws, seed = 0 } = product;
    const { network, parameters, data } = model;
    const { batchSize, memoryLimit = 2 ** 30, blas, team } = options;
    requireMemoryLimit(memoryLimit);
    if (batchSize !== undefined) requireWhole(batchSize, 'batchSize', 1);
    requireFiniteParameters(parameters);
    const { samples } = data;
    const precision = precisionOf(parameters);
    const slice = sliceFor(network, samples);
    const slices = graphSlices(samples, slice);
    const capacity = Math.min(samples, slice);
    const plan = planNetwork(network.evaluation, network.layers, {
      gradient: false,
      passes: [kind],
      capacity,
      draws,
    });
    const width = productWidth(network.trained);
    const workers = team?.workers ?? 1;
    this.#places = vectorsOf({ workers, width });
    const sizes = { network, plan, precision, workers, vectors: this.#places.count, slices: 1 };
    this.#held = heldSlices(slices, {
      each: sliceBytes(plan, precision),
      others: otherBytes(sizes),
      memoryLimit,
      batchSize,
      slice,
    });
    const layout = openTapeMemory({ ...sizes, slices: this.#held }, parameters, 'Curvature of the network');
    const state: GraphPasses = {
      layout,
      pass: kind,
      loss: network.loss,
      seed,
      samples,
      slice,
      workers,
      width,
      losses: sharedFloat64(this.#held),
    };
    this.rows = network.trained;
    this.cols = this.rows;
    this.precision = precision;
    this.model = model;
    this.kind = kind;
    this.diagonal =
      kind === 'hessian' || !isAffordable(model, kind)
        ? undefined
        : (out) => {
            out.set(graphDiagonal(model, { kind, blas, draws, seed }));
          };
    this.samples = samples;
    this.capacity = Math.min(samples, this.#held * slice);
    this.#slice = slice;
    this.bytes = otherBytes(sizes) + this.#held * sliceBytes(plan, precision);
    this.#plan = plan;
    this.#blas = blas;
    this.#team = team;
    this.#mine = { state, tapes: new Tapes(layout, blas, 0) };
    if (team !== undefined) {
      const shared = team.shareNow(state);
      this.#shared = shared;
      abandoned.register(this, () => team.release(shared), this);
    }
    if (this.kept) {
      try {
        this.#forward(0, slices);
      } catch (error) {
        this.release();
        throw error;
      }
    }
  }

  /** Whether the passes of all samples are kept; else each product makes them anew. */
  get kept(): boolean {
    return this.#held === graphSlices(this.samples, this.#slice);
  }

  /** Those of multiplications of matrices. */
  flops(vectors: number): number {
    const [forward, product] = this.#plan.plan.phases.map((steps) => phaseFlops(steps, 1));
    const blocks = Math.ceil(vectors / productWidth(this.rows));
    return this.samples * (vectors * product + (this.kept ? 0 : blocks * forward));
  }

  /** out ← α·A·X + β·out, shapes taken on trust; precisions may differ. */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const width = productWidth(this.rows);
    for (let first = 0; first < x.cols; first += width) {
      const count = Math.min(width, x.cols - first);
      this.#product(block(out, 0, first, this.rows, count), block(x, 0, first, this.rows, count), alpha, beta);
    }
  }

  /** Frees the passes, here and on the team; the operator cannot multiply any more. */
  release(): void {
    if (this.#team !== undefined && this.#shared !== undefined && this.#mine !== undefined)
      this.#team.release(this.#shared);
    abandoned.unregister(this);
    this.#mine = undefined;
    this.#body = undefined;
  }

  #product(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const { tapes } = this.#live();
    const vector = (k: number): Matrix => view(tapes.vector(k), 0, this.rows, 1);
    const slices = graphSlices(this.samples, this.#slice);
    const parts = productParts(this.rows, x.cols, slices);
    for (let j = 0; j < x.cols; j++) copyInto(vector(this.#places.given(j)), block(x, 0, j, this.rows, 1));
    for (let first = 0; first < slices; first += this.#held) {
      const last = Math.min(slices, first + this.#held);
      if (!this.kept) this.#forward(first, last);
      this.#run(x.cols * parts, { first, last, parts });
    }
    for (let j = 0; j < x.cols; j++) {
      const sum = vector(this.#places.sum(j, 0, parts));
      for (let part = 1; part < parts; part++) combine(sum, 1, vector(this.#places.sum(j, part, parts)), 1);
      combine(block(out, 0, j, this.rows, 1), alpha / Math.max(1, this.#weight), sum, beta);
    }
  }

  /** Reads the samples of slices first … last − 1 and passes them forward. */
  #forward(first: number, last: number): void {
    const { model, samples } = this;
    const { state, tapes } = this.#live();
    if (first === 0) this.#weight = 0;
    for (let s = first; s < last; s++) {
      const begin = graphSliceFirst(samples, this.#slice, s);
      const batch = readSamples(model, begin, graphSliceFirst(samples, this.#slice, s + 1) - begin);
      tapes.tape(s - first).load(batch, { order: null, first: 0, count: batch.inputs.cols }, 1);
      this.#weight += lossWeight(model.loss, batch.targets);
    }
    this.#run(last - first, { first, last, parts: null });
    for (let s = first; s < last; s++)
      if (!Number.isFinite(state.losses[s - first]))
        throw new NonFiniteError(
          `The loss of samples ${graphSliceFirst(samples, this.#slice, s)} to ` +
            `${graphSliceFirst(samples, this.#slice, s + 1) - 1} is ${state.losses[s - first]}: the parameters or ` +
            'the data are too large.',
          { first: graphSliceFirst(samples, this.#slice, s), loss: state.losses[s - first] },
        );
  }

  #live(): { readonly state: GraphPasses; readonly tapes: Tapes } {
    if (this.#mine === undefined) throw new OptionError('The operator was released.');
    return this.#mine;
  }

  #run(tasks: number, args: PassArguments): void {
    let graph = this.#graphs.get(tasks);
    if (graph === undefined) this.#graphs.set(tasks, (graph = independentTasks(tasks)));
    if (this.#team !== undefined && this.#shared !== undefined) {
      this.#team.runSync(graphPassTask, this.#shared, graph, args);
      return;
    }
    const context = { blas: this.#blas, worker: 0, workers: 1, modules: () => ({}), runParts: runAlone };
    const body = (this.#body ??= graphPassTask.bind(this.#live().state, context));
    for (let task = 0; task < tasks; task++) body(task, args);
  }
}
trustClass(GraphOperator);

/** How many of the slices are held: all where they fit. Throws MemoryError where not one does. */
function heldSlices(
  slices: number,
  {
    each,
    others,
    memoryLimit,
    batchSize,
    slice,
  }: {
    readonly each: number;
    readonly others: number;
    readonly memoryLimit: number;
    readonly batchSize: number | undefined;
    readonly slice: number;
  },
): number {
  const fitting = Math.floor(Math.min(memoryLimit, ADDRESSED - others) / each);
  if (fitting < 1)
    throw new MemoryError(
      `The passes of ${slice} samples take ${inUnits(each)}, the vectors beside them ${inUnits(others)}: more than ` +
        `the limit of ${inUnits(memoryLimit)} for passes, or than 4 GiB together. Raise memoryLimit, or give ` +
        'parameters in float32.',
      { bytes: each, others, memoryLimit },
    );
  if (fitting >= slices) return slices;
  return Math.min(fitting, batchSize === undefined ? fitting : Math.ceil(batchSize / slice));
}
