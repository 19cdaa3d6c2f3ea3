/**
 * Curvature of networks of layers through products: A = (1/n) Σ_i A_i over the samples of a model, on tapes. Where what
 * the forward passes keep of all samples fits the memory limit they are made once; else each product makes them again,
 * some slices at a time, for a block of vectors, with the same bits. Each of several ranks has its own samples' passes
 * alone; all of them multiply together, and all get the product.
 */
import { requireMemoryLimit, requireWhole } from '../../core/checks.js';
import { MemoryError, NonFiniteError, OptionError } from '../../core/errors.js';
import { floats, precisionOf, type Precision } from '../../core/floats.js';
import { inUnits } from '../../core/memory.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { SumNode } from '../../core/sum-tree.js';
import type { Blas } from '../../dense/blas.js';
import type { WithBlas } from '../../dense/default-blas.js';
import { block, copyInto, view, type Matrix } from '../../dense/matrix.js';
import { exchangeNumbers, placeOf, SampleRanks } from '../../distributed/sample-ranks.js';
import { together } from '../../distributed/together.js';
import type { GraphModel } from '../../layers/graph-model.js';
import { graphGroupSlice, graphNodes, graphRankSlice, graphShares } from '../../layers/groups.js';
import { planNetwork, type NetworkPlan, type ProductPass } from '../../layers/network-plan.js';
import { readSamples, requireFiniteParameters } from '../../layers/read-samples.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { openTapeMemory, otherBytes, sliceBytes, Tapes, type TapeMemoryOptions } from '../../layers/tape-memory.js';
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
import { batchesOf, cutNodes, stepsWithin, type Batch } from '../products/sample-cut.js';
import {
  graphPassTask,
  partsWanted,
  productWidth,
  roomFor,
  sliceFor,
  sumNumber,
  vectorsOf,
  type GraphPasses,
  type PassArguments,
  type SumRoom,
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
  /** This rank's nodes of the tree over groups of slices, and what is held of them at a time. */
  readonly #nodes: readonly SumNode[];
  readonly #batches: readonly Batch[];
  readonly #ranks: SampleRanks;
  /** Whether passes are made anew in products, on some rank. */
  readonly #remakes: boolean;
  readonly #places: VectorPlaces;
  readonly #blas: Blas;
  readonly #team: Team | undefined;
  readonly #shared: Shared<GraphPasses> | undefined;
  readonly #graphs = new Map<number, TaskGraph>();
  /** Absent once it was released. */
  #mine: { readonly state: GraphPasses; readonly tapes: Tapes } | undefined;
  #body: TaskBody<PassArguments> | undefined;
  /** Samples, or tokens that are no padding, of the slices that were passed forward, of which none is passed twice. */
  #weight = 0;
  /** Those of all ranks, once all were passed forward. */
  #divisor: number | undefined;

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
    const capacity = Math.min(samples, slice);
    const plan = planNetwork(network.evaluation, network.layers, {
      gradient: false,
      passes: [kind],
      capacity,
      draws,
    });
    const workers = team?.workers ?? 1;
    const place = placeOf(team?.communicator);
    const slices = graphSlices(samples, slice);
    this.#nodes = graphNodes(slices, place);
    const own = graphRankSlice(slices, { ...place, rank: place.rank + 1 }) - graphRankSlice(slices, place);
    const width = productWidth(network.trained);
    const roomOf = (goesOn: boolean): { readonly room: SumRoom; readonly places: VectorPlaces } => {
      const room = roomFor(this.#nodes, network.trained, goesOn);
      return { room, places: vectorsOf({ workers, width, room }) };
    };
    const sizesOf = (vectors: number): TapeMemoryOptions => ({ network, plan, precision, workers, vectors, slices: 1 });
    const heldWith = ({ places }: { readonly places: VectorPlaces }): number => {
      const others = otherBytes(sizesOf(places.count));
      return heldSlices(own, { each: sliceBytes(plan, precision), others, memoryLimit, batchSize, slice });
    };
    let vectors = roomOf(false);
    let held = heldWith(vectors);
    if (held < own) {
      // Sums that go on from slices to slices take more vectors.
      vectors = roomOf(true);
      held = Math.min(held, heldWith(vectors));
    }
    this.#places = vectors.places;
    this.#batches = batchesOf(this.#nodes, (group) => graphGroupSlice(slices, group), Math.max(1, held));
    const sizes = sizesOf(vectors.places.count);
    const layout = openTapeMemory({ ...sizes, slices: held }, parameters, 'Curvature of the network');
    const state: GraphPasses = {
      layout,
      pass: kind,
      loss: network.loss,
      seed,
      samples,
      slice,
      workers,
      width,
      room: vectors.room,
      losses: sharedFloat64(held),
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
            out.set(graphDiagonal(model, { kind, blas, draws, seed, team }));
          };
    this.samples = samples;
    this.capacity = Math.min(samples, held * slice);
    this.#slice = slice;
    this.bytes = otherBytes(sizes) + held * sliceBytes(plan, precision);
    this.#plan = plan;
    this.#blas = blas;
    this.#team = team;
    this.#mine = { state, tapes: new Tapes(layout, blas, 0) };
    if (team !== undefined) {
      const shared = team.shareNow(state);
      this.#shared = shared;
      abandoned.register(this, () => team.release(shared), this);
    }
    const exchange = place.ranks > 1 ? floats(exchangeNumbers(network.trained), precision) : null;
    this.#ranks = new SampleRanks(team?.communicator, graphShares(slice), exchange);
    this.#remakes = this.#ranks.total(Number(!this.kept)) > 0;
    try {
      together(team?.communicator, () => {
        if (this.kept) for (const batch of this.#batches) this.#forward(batch);
      });
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Whether the passes of all samples that are this rank's are kept; else each product makes them anew. */
  get kept(): boolean {
    return this.#batches.length <= 1;
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
    const vectors = x.cols;
    const vector = (k: number): Matrix => view(tapes.vector(k), 0, this.rows, 1);
    const { nodes, firsts, combine: additions } = cutNodes(this.#nodes, partsWanted(this.rows, vectors));
    const parts = nodes.length;
    const sumOf = (j: number, part: number): number =>
      this.#places.sum(sumNumber({ place: 0, part, vector: j }, { parts, vectors }));
    for (let j = 0; j < vectors; j++) copyInto(vector(this.#places.given(j)), block(x, 0, j, this.rows, 1));
    const sweep = (): void => {
      if (!this.kept) this.#weight = 0;
      for (const batch of this.#batches) {
        if (!this.kept) this.#forward(batch);
        const steps = nodes.map((node) => stepsWithin(node, batch));
        this.#run(vectors * parts, { first: batch.first, vectors, steps, goesOn: !this.kept });
      }
    };
    if (this.#remakes) together(this.#team?.communicator, sweep);
    else sweep();
    const weight = (this.#divisor ??= Math.max(1, this.#ranks.total(this.#weight)));
    for (let j = 0; j < vectors; j++) {
      for (const { to, from } of additions) combine(vector(sumOf(j, to)), 1, vector(sumOf(j, from)), 1);
      const sum = vector(this.#ranks.many ? this.#places.given(j) : sumOf(j, 0));
      if (this.#ranks.many) {
        const own = firsts.map((part) => tapes.vector(sumOf(j, part)));
        this.#ranks.sum(this.samples, own, tapes.vector(this.#places.given(j)));
      }
      combine(block(out, 0, j, this.rows, 1), alpha / weight, sum, beta);
    }
  }

  /** Reads the samples of a batch of slices and passes them forward. */
  #forward({ first, count }: Batch): void {
    const { model, samples } = this;
    const { state, tapes } = this.#live();
    const sampleOf = (s: number): number => graphSliceFirst(samples, this.#slice, first + s);
    for (let s = 0; s < count; s++) {
      const batch = readSamples(model, sampleOf(s), sampleOf(s + 1) - sampleOf(s));
      tapes.tape(s).load(batch, { order: null, first: 0, count: batch.inputs.cols }, 1);
      this.#weight += lossWeight(model.loss, batch.targets);
    }
    this.#run(count, { first, vectors: 0, steps: null, goesOn: false });
    for (let s = 0; s < count; s++)
      if (!Number.isFinite(state.losses[s]))
        throw new NonFiniteError(
          `The loss of samples ${sampleOf(s)} to ${sampleOf(s + 1) - 1} is ${state.losses[s]}: the parameters or ` +
            'the data are too large.',
          { first: sampleOf(s), loss: state.losses[s] },
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
