/**
 * The objective of a network of layers: its passes are tapes, slice by slice, so that optimizers know it as they know
 * perceptrons (../objective/objective.ts). Dropout is that of its layers; statistics of batch norms are those of a
 * slice in training, and their running values, which are part of θ, follow every evaluation.
 */
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import type { FloatArray, Precision } from '../../core/floats.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view } from '../../dense/matrix.js';
import type { VectorKernels, VectorMemory } from '../../dense/vector-memory.js';
import { drawSeeds } from '../../layers/draw.js';
import { requireWords } from '../../layers/graph-model.js';
import { sliceSamples, type GraphNetwork } from '../../layers/graph-network.js';
import type { Pass } from '../../layers/network-plan.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { divisorOf, lossWeight, rightShare } from '../../layers/targets.js';
import type { Batch } from '../../network/data-set.js';
import type { Picks } from '../../network/sample-order.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { numbersOf } from '../../tape/shape.js';
import { copySamples } from '../objective/copy-samples.js';
import { maskStep } from '../objective/mask-step.js';
import type { EvaluateOptions, Measure, Objective, TrainingMemory } from '../objective/objective.js';
import { Graphs, parameterBlocks } from '../objective/slices.js';
import type { MomentTask } from '../objective/tasks.js';
import { sharedWith, TeamRunner } from '../objective/team-runner.js';
import type { TeamChoice } from '../objective/team-trial.js';
import { turnGraph, type BasisTask, type TurnWork } from '../objective/turn.js';
import type { Update } from '../objective/update.js';
import { spanOf, type CurvatureKind, type Span } from '../objective/workspace.js';
import { GraphWorker, graphTask, type GraphWork, type SliceGroup } from './tasks.js';
import { QuadraticForm } from './quadratic-form.js';
import { followStatistics } from './statistics.js';
import {
  decays,
  openGraphWorkspace,
  statisticNumbers,
  type GraphWorkspace,
  type OpenGraphWorkspace,
} from './workspace.js';

/** What a graph objective is opened with; as PerceptronObjectiveOptions. */
export interface GraphObjectiveOptions {
  readonly network: GraphNetwork;
  readonly precision: Precision;
  readonly batchSize: number;
  readonly curvature?: CurvatureKind | undefined;
  readonly spare?: number | undefined;
  readonly regularization?: number | undefined;
  readonly seed?: number | undefined;
  /** Beyond so many bytes forward passes are made again in parts. Default: what is free. */
  readonly memoryLimit?: number | undefined;
  readonly blas: Blas;
  readonly team?: Team | undefined;
}

const PASSES: Readonly<Record<CurvatureKind, readonly Pass[]>> = {
  none: [],
  'gauss-newton': ['gauss-newton', 'tangent', 'draw'],
  hessian: ['hessian', 'tangent', 'draw'],
};

/** The objective. */
export class GraphObjective implements Objective {
  readonly network: GraphNetwork;
  readonly precision: Precision;
  readonly kernels: VectorKernels;
  readonly blas: Blas;
  readonly team: Team | undefined;
  readonly parameters: FloatArray;
  readonly gradient: FloatArray;
  readonly capacity: number;
  readonly rotatedInputs = false;
  readonly diagonalOutputs = false;
  readonly turnsSamples = false;
  readonly regularization: number;
  readonly isRandom: boolean;
  readonly usesBatchStatistics: boolean;
  readonly memory: TrainingMemory;
  loads = 0;
  readonly #workspace: GraphWorkspace;
  readonly #memory: VectorMemory;
  readonly #worker: GraphWorker;
  readonly #runner: TeamRunner<GraphWorkspace, GraphWork>;
  readonly #graphs: Graphs;
  readonly #turnGraph: TaskGraph;
  #count = 0;
  #weight = 0;
  /** Samples that the kept passes belong to, and their step; 0: none. */
  #kept = 0;
  #step: number | null = null;
  /** The step of the last draw of this batch. */
  #drawn: number | null = null;
  #carry: FloatArray | undefined;
  #form: QuadraticForm | undefined;
  readonly #carried = { loss: 0, weight: 0, parts: 0 };

  private constructor(
    options: GraphObjectiveOptions,
    { memory, workspace, recomputes }: OpenGraphWorkspace,
    shared: Shared<GraphWorkspace> | undefined,
  ) {
    const { network, precision, blas, team, batchSize } = options;
    this.network = network;
    this.precision = precision;
    this.blas = blas;
    this.team = team;
    this.capacity = batchSize;
    this.regularization = workspace.regularization;
    this.isRandom = workspace.training.plan.masks.length > 0;
    this.usesBatchStatistics = workspace.training.plan.updates.length > 0;
    this.memory = { bytes: memory.bytes, recomputes };
    this.#memory = memory;
    this.#workspace = workspace;
    this.kernels = memory.kernels(precision);
    this.parameters = this.#array(workspace.parameters);
    this.gradient = this.#array(workspace.gradient);
    this.#worker = new GraphWorker(workspace, memory, { blas, worker: 0 });
    this.#runner = new TeamRunner(graphTask, this.#worker, team, shared);
    const blocks = parameterBlocks(network);
    this.#graphs = new Graphs(blocks.length);
    this.#turnGraph = turnGraph(blocks);
  }

  /**
   * Takes the memory: the tapes' and two vectors like θ, one more a slice. Where that is more than there is, forward
   * passes are made again. Throws MemoryError, OptionError.
   */
  static async open(options: GraphObjectiveOptions): Promise<GraphObjective> {
    const {
      network,
      precision,
      batchSize,
      curvature = 'none',
      spare = 0,
      regularization = 0,
      seed = 0,
      memoryLimit,
      team,
    } = options;
    if (!(regularization >= 0 && regularization < Infinity))
      throw new OptionError(`regularization is ${regularization}: it is a number of at least 0.`, { regularization });
    const opened = openGraphWorkspace({
      network,
      precision,
      capacity: batchSize,
      passes: PASSES[curvature],
      seed,
      regularization,
      workers: team?.workers ?? 1,
      spare,
      memoryLimit,
      results: sharedFloat64(graphSlices(batchSize, sliceSamples(network))),
    });
    return new GraphObjective(options, opened, await sharedWith(team, opened.workspace));
  }

  get teamChoice(): TeamChoice {
    return this.#runner.choice;
  }

  get count(): number {
    return this.#count;
  }

  get weight(): number {
    return this.#weight;
  }

  hasFactors(layer: number): boolean {
    const { kind } = this.network.layers[layer];
    return kind === 'dense' || kind === 'convolution';
  }

  vector(): FloatArray {
    return this.take(this.network.parameters);
  }

  take(length: number): FloatArray {
    return this.#memory.take(length, this.precision);
  }

  load({ inputs, targets }: Batch, picks?: Pick<Picks, 'order' | 'first' | 'count'>): void {
    const count = picks?.count ?? inputs.cols;
    if (count > this.capacity || count === 0)
      throw new ShapeError(`The batch has ${count} samples, the objective takes 1 to ${this.capacity}.`, { count });
    const x = this.#array(this.#workspace.inputs);
    const y = this.#array(this.#workspace.targets);
    copySamples(inputs, count, picks ?? { first: 0 }, x, inputs.rows);
    copySamples(targets, count, picks ?? { first: 0 }, y, targets.rows);
    requireWords(this.network, { inputs: view(x, 0, inputs.rows, count), targets: view(y, 0, targets.rows, count) });
    this.#count = count;
    this.#weight = this.#weightOf(count);
    this.#kept = 0;
    this.#drawn = null;
    this.loads++;
  }

  evaluate({ update = null, step = null, turned = null }: EvaluateOptions = {}): number {
    if (turned !== null) throw new OptionError('A network of layers does not turn samples.', {});
    const { loss: before, weight, parts } = this.#carried;
    this.forget();
    const total = divisorOf(this.#weight + weight);
    const penalty = this.#penalty(this.parameters);
    const carry =
      parts === 0 ? null : { sum: spanOf(this.#carry!), own: this.#weight / total, others: 1 / total, last: true };
    const loss = this.#evaluate(maskStep(step, parts));
    this.#sum(this.#slices(this.#count), { out: this.gradient, decayed: this.parameters, carry, update });
    this.#followStatistics();
    return (loss + before) / total + penalty;
  }

  accumulate({ step = null }: { readonly step?: number | null } = {}): void {
    const carry = (this.#carry ??= this.vector());
    const carried = this.#carried;
    const part = { sum: spanOf(carry), own: this.#weight, others: carried.parts === 0 ? 0 : 1, last: false };
    try {
      carried.loss += this.#evaluate(maskStep(step, carried.parts));
    } catch (error) {
      this.forget();
      throw error;
    }
    this.#sum(this.#slices(this.#count), { out: this.gradient, decayed: this.parameters, carry: part, update: null });
    this.#followStatistics();
    carried.weight += this.#weight;
    carried.parts++;
  }

  forget(): void {
    Object.assign(this.#carried, { loss: 0, weight: 0, parts: 0 });
  }

  update(update: Update): void {
    this.#runner.run(this.#graphs.blocks, { kind: 'update', update });
  }

  measure(parameters: FloatArray = this.parameters, step: number | null = null): Measure {
    const count = this.#count;
    const scale = 1 / divisorOf(this.#weight);
    const work = { kind: 'measure', count, scale, parameters: this.#span(parameters), step } as const;
    if (step !== null) this.#kept = 0;
    this.#runner.run(this.#graphs.independent(this.#slices(count)), work);
    const { outputs, targets } = this.#workspace;
    const size = outputs.length / this.capacity;
    return {
      loss: this.#losses(count) * scale + this.#penalty(parameters),
      accuracy: rightShare(
        this.network.loss,
        view(this.#array(outputs), 0, size, count),
        view(this.#array(targets), 0, this.network.outputs, count),
      ),
    };
  }

  product(of: 'gauss-newton' | 'hessian', v: FloatArray, out: FloatArray, samples: number = this.#count): void {
    const own = this.#slices(samples) === 1 ? this.#span(out) : null;
    // Statistics have no curvature, and passes do not write there.
    out.fill(0, this.network.trained);
    for (const group of this.#groups(samples, of)) this.#pass(of, samples, group, { v: this.#span(v), out: own });
    this.#sum(this.#slices(samples), { out, decayed: v, carry: null, update: null });
  }

  quadratic(vectors: readonly FloatArray[], samples: number = this.#count): Float64Array {
    const { tangents } = this.#workspace.training.plan;
    const λ = this.regularization;
    const most = tangents.reduce((sum, { tangent }) => sum + numbersOf(tangent.shape, this.capacity), 0);
    const form = (this.#form ??= new QuadraticForm(most));
    form.begin(vectors.length, (i, j) => (λ > 0 ? λ * this.weightDot(vectors[i], vectors[j]) : 0));
    let begin = 0;
    for (const group of this.#groups(samples, 'tangent')) {
      let at = begin;
      vectors.forEach((vector, j) => {
        this.#pass('tangent', samples, group, { v: this.#span(vector), out: null });
        at = begin;
        for (let s = group.first; s < group.end; s++)
          for (const { tangent, image } of tangents) {
            const tape = this.#tape(s, samples);
            const own = tape.numbers(tangent);
            form.add(j, at, own, tape.numbers(image));
            at += own.length;
          }
      });
      begin = at;
    }
    return form.end();
  }

  draw(step: number, samples: number = this.#count): void {
    this.#drawn = step;
    if (this.#workspace.holdsGroups) return;
    for (const group of this.#groups(samples, 'draw')) this.#draw(step, samples, group);
  }

  moments(
    tasks: readonly (Omit<MomentTask, 'out'> & { readonly out: FloatArray })[],
    keep: number,
    samples: number = this.#count,
  ): void {
    const { holdsGroups, hasPadding } = this.#workspace;
    const weight = divisorOf(this.#weightOf(samples));
    const reached = holdsGroups && hasPadding ? this.#reached(tasks, samples) : null;
    const moments = tasks.map((task) => ({ ...task, out: this.#span(task.out), reached: reached?.get(task.layer) }));
    for (const group of holdsGroups ? this.#drawnGroups(samples) : [{ first: 0, end: this.#slices(samples) }]) {
      const work = { kind: 'moments', count: samples, weight, keep, moments, group } as const;
      this.#runner.run(this.#graphs.independent(tasks.length), work);
    }
  }

  turn(work: Omit<TurnWork, 'kind'>): void {
    this.#runner.run(this.#turnGraph, { ...work, kind: 'turn' });
  }

  bases(sides: readonly BasisTask[]): void {
    this.#runner.run(this.#graphs.independent(sides.length), { kind: 'bases', sides });
  }

  gradientSquares(): never {
    throw new OptionError(
      "Squares of the samples' own gradients are known for perceptrons alone: take preconditioner: 'kfac', or none.",
      {},
    );
  }

  weightDot(x: FloatArray, y: FloatArray): number {
    let sum = 0;
    for (const { kind, width, inputs, outputs, offset } of this.network.layers) {
      if (!decays(kind)) continue;
      for (let p = 0; p < outputs; p++)
        for (let k = offset + p * width; k < offset + p * width + inputs; k++) sum += x[k] * y[k];
    }
    return sum;
  }

  close(): void {
    this.#runner.close();
  }

  /** Outputs of the batch that was measured last, a sample a column. */
  outputs(): FloatArray {
    return this.#array(this.#workspace.outputs);
  }

  #weightOf(samples: number): number {
    const { outputs, loss } = this.network;
    return lossWeight(loss, view(this.#array(this.#workspace.targets), 0, outputs, samples));
  }

  /** The first phase of the whole batch; the sum of its losses. */
  #evaluate(step: number | null): number {
    this.#first(this.#count, step, true);
    const loss = this.#losses(this.#count);
    if (!Number.isFinite(loss)) {
      this.#kept = 0;
      throw new NonFiniteError('The loss or its gradient is not finite: the parameters have grown too large.', {
        loss,
      });
    }
    return loss;
  }

  /** The first phase; of the whole batch for its gradient, of a part for what passes read. */
  #first(samples: number, step: number | null, isWhole: boolean): void {
    const gradient = isWhole && this.#slices(samples) === 1 ? spanOf(this.gradient) : null;
    const scale = this.#scaleOf(samples);
    this.#runner.run(
      this.#graphs.independent(this.#slices(samples)),
      { kind: 'evaluate', count: samples, scale, step, gradient },
      isWhole,
    );
    this.#kept = samples;
    this.#step = step;
  }

  /** The slices of the first samples, group by group with their first phase run at the point of the last evaluation. */
  *#groups(samples: number, pass: Pass): Generator<SliceGroup> {
    const { training, holdsGroups } = this.#workspace;
    if (!training.plan.phases.has(pass))
      throw new OptionError(`The objective was opened without '${pass}', which is asked for.`, { pass });
    const slices = this.#slices(samples);
    if (!holdsGroups) {
      if (this.#kept !== samples) this.#first(samples, this.#step, false);
      yield { first: 0, end: slices };
      return;
    }
    const scale = this.#scaleOf(samples);
    for (let first = 0; first < slices; first += training.kept.length) {
      const group = { first, end: Math.min(slices, first + training.kept.length) };
      const work = { kind: 'again', count: samples, scale, step: this.#step, group } as const;
      this.#runner.run(this.#graphs.independent(group.end - first), work);
      yield group;
    }
  }

  #pass(
    pass: Pass,
    samples: number,
    group: SliceGroup,
    { v, out }: Pick<Extract<GraphWork, { kind: 'pass' }>, 'v' | 'out'>,
  ): void {
    const work = { kind: 'pass', count: samples, pass, group, v, out } as const;
    this.#runner.run(this.#graphs.independent(group.end - group.first), work);
  }

  /** Errors at the outputs of a group's slices, taken back. */
  #draw(step: number, samples: number, group: SliceGroup): void {
    const { training, seed, targets } = this.#workspace;
    const { loss, outputs } = this.network;
    for (let s = group.first; s < group.end; s++) {
      const [tape, first] = [this.#tape(s, samples), this.#firstOf(samples, s)];
      const own = view(this.#array(targets), first * outputs, outputs, tape.count);
      drawSeeds({ loss, plan: training.plan, tape, seed, first }, own, step);
    }
    this.#pass('draw', samples, group, { v: null, out: null });
  }

  /** The slices group by group, with the errors of the last draw. */
  *#drawnGroups(samples: number): Generator<SliceGroup> {
    for (const group of this.#groups(samples, 'draw')) {
      if (this.#drawn !== null) this.#draw(this.#drawn, samples, group);
      yield group;
    }
  }

  /** Columns that drawn errors reach, of each layer whose inputs are asked for. */
  #reached(tasks: readonly Pick<MomentTask, 'layer' | 'of'>[], samples: number): ReadonlyMap<number, number> {
    const found = new Map<number, number>();
    for (const { layer, of } of tasks) if (of === 'inputs') found.set(layer, 0);
    if (found.size === 0) return found;
    for (const group of this.#drawnGroups(samples))
      for (const [layer, columns] of found) found.set(layer, columns + this.#worker.reached(layer, group, samples));
    return found;
  }

  /** The factor of losses of so many samples. */
  #scaleOf(samples: number): number {
    return 1 / divisorOf(samples === this.#count ? this.#weight : this.#weightOf(samples));
  }

  #sum(
    slices: number,
    {
      out,
      decayed,
      carry,
      update,
    }: Pick<Extract<GraphWork, { kind: 'sum' }>, 'carry' | 'update'> & {
      readonly out: FloatArray;
      readonly decayed: FloatArray;
    },
  ): void {
    const work = { kind: 'sum', slices, out: this.#span(out), decayed: this.#span(decayed), carry, update } as const;
    this.#runner.run(this.#graphs.blocks, work);
  }

  #followStatistics(): void {
    const { training, statistics, slice } = this.#workspace;
    const { updates } = training.plan;
    if (updates.length === 0) return;
    const numbers = this.#array(statistics);
    const each = statisticNumbers(training.plan);
    followStatistics(this.parameters, this.network, { updates, numbers, each, count: this.#count, slice });
  }

  #slices(samples: number): number {
    return graphSlices(samples, this.#workspace.slice);
  }

  #firstOf(samples: number, slice: number): number {
    return graphSliceFirst(samples, this.#workspace.slice, slice);
  }

  #losses(samples: number): number {
    let loss = 0;
    for (let s = 0; s < this.#slices(samples); s++) loss += this.#workspace.results[s];
    return loss;
  }

  #penalty(θ: FloatArray): number {
    return this.regularization === 0 ? 0 : 0.5 * this.regularization * this.weightDot(θ, θ);
  }

  #tape(slice: number, samples: number): ReturnType<GraphWorker['tape']> {
    const tape = this.#worker.tape(slice);
    tape.resume(this.#firstOf(samples, slice + 1) - this.#firstOf(samples, slice));
    return tape;
  }

  #array({ at, length }: Span): FloatArray {
    return this.#memory.at(at, length, this.precision);
  }

  #span(x: FloatArray): Span {
    if (x.buffer !== this.parameters.buffer)
      throw new MemoryError('A vector of an objective is one that its vector() or take() gave.', {});
    return spanOf(x);
  }
}
