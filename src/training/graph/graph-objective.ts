/**
 * The objective of a network of layers: its passes are tapes, slice by slice, so that optimizers know it as they know
 * perceptrons (../objective/objective.ts). Dropout is that of its layers; statistics of batch norms are those of a
 * slice in training, and their running values, which are part of θ, follow every evaluation.
 */
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { floats, sharedFloats, type FloatArray, type Precision } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, type Matrix } from '../../dense/matrix.js';
import type { VectorKernels, VectorMemory } from '../../dense/vector-memory.js';
import { drawSeeds } from '../../layers/draw.js';
import { requireWords } from '../../layers/graph-model.js';
import type { GraphNetwork } from '../../layers/graph-network.js';
import type { Pass } from '../../layers/network-plan.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { divisorOf, lossWeight, rightCount, rightShare } from '../../layers/targets.js';
import type { Batch } from '../../network/data-set.js';
import type { Picks } from '../../network/sample-order.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { numbersOf } from '../../tape/shape.js';
import { copySamples } from '../objective/copy-samples.js';
import { maskStep } from '../objective/mask-step.js';
import type { EvaluateOptions, Measure, Objective, TrainingMemory } from '../objective/objective.js';
import { Graphs, parameterBlocks } from '../objective/slices.js';
import { refuseSquares } from '../objective/gradient-moment.js';
import type { MomentTask } from '../objective/tasks.js';
import { SampleRanks } from '../../distributed/sample-ranks.js';
import { sharedWith, TeamRunner } from '../objective/team-runner.js';
import type { TeamChoice } from '../objective/team-trial.js';
import { turnGraph, type BasisTask, type TurnWork } from '../objective/turn.js';
import type { Update } from '../objective/update.js';
import { spanOf, type Span } from '../objective/workspace.js';
import { graphWorkspaceOptions, type GraphObjectiveOptions } from './graph-options.js';
import { graphGroupSlice, graphNodes, graphShares } from '../../layers/groups.js';
import { momentLength, momentVectors } from './moment-sums.js';
import { GraphWorker, graphTask, type GraphMomentTask, type GraphWork, type SliceGroup } from './tasks.js';
import { QuadraticForm } from './quadratic-form.js';
import { followStatistics } from './statistics.js';
import {
  decays,
  openGraphWorkspace,
  statisticNumbers,
  type GraphWorkspace,
  type OpenGraphWorkspace,
} from './workspace.js';

export type { GraphObjectiveOptions } from './graph-options.js';

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
  readonly #ranks: SampleRanks;
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
  #sums: FloatArray = new Float64Array(0);
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
    const exchange = workspace.exchange === null ? null : this.#array(workspace.exchange);
    this.#ranks = new SampleRanks(team?.communicator, graphShares(workspace.slice), exchange);
    const blocks = parameterBlocks(network);
    this.#graphs = new Graphs(blocks.length);
    this.#turnGraph = turnGraph(blocks);
  }

  /**
   * Takes the memory: the tapes' and two vectors like θ, one more a slice. Where that is more than there is, forward
   * passes are made again. Throws MemoryError, OptionError.
   */
  static async open(options: GraphObjectiveOptions): Promise<GraphObjective> {
    const opened = openGraphWorkspace(graphWorkspaceOptions(options));
    return new GraphObjective(options, opened, await sharedWith(options.team, opened.workspace));
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
    this.#sum(this.#count, { out: this.gradient, decayed: this.parameters, carry, update });
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
    this.#sum(this.#count, { out: this.gradient, decayed: this.parameters, carry: part, update: null });
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
    const own = this.#ranks.slices(count);
    const work = { kind: 'measure', count, scale, parameters: this.#span(parameters), step, first: own.first } as const;
    if (step !== null) this.#kept = 0;
    this.#runner.run(this.#graphs.independent(own.length), work);
    const targets = view(this.#array(this.#workspace.targets), 0, this.network.outputs, count);
    const right = this.#ranks.total(this.#right(targets));
    return {
      loss: this.#losses(count) * scale + this.#penalty(parameters),
      accuracy: rightShare(this.network.loss, right, targets),
    };
  }

  /** How many samples (or tokens) of this rank's are right. */
  #right(targets: Matrix): number {
    const { first, end } = this.#ranks.samples(this.#count);
    const size = this.#workspace.outputs.length / this.capacity;
    const outputs = view(this.#array(this.#workspace.outputs), 0, size, this.#count);
    const own = (of: Matrix): Matrix => block(of, 0, first, of.rows, end - first);
    return rightCount(this.network.loss, own(outputs), own(targets));
  }

  product(of: 'gauss-newton' | 'hessian', v: FloatArray, out: FloatArray, samples: number = this.#count): void {
    const own = this.#slices(samples) === 1 ? this.#span(out) : null;
    // Statistics have no curvature, and passes do not write there.
    out.fill(0, this.network.trained);
    for (const group of this.#groups(samples, of)) this.#pass(of, samples, group, { v: this.#span(v), out: own });
    this.#sum(samples, { out, decayed: v, carry: null, update: null });
  }

  quadratic(vectors: readonly FloatArray[], samples: number = this.#count): Float64Array {
    const { tangents } = this.#workspace.training.plan;
    const λ = this.regularization;
    const most = tangents.reduce((sum, { tangent }) => sum + numbersOf(tangent.shape, this.capacity), 0);
    const form = (this.#form ??= new QuadraticForm(most));
    form.begin(vectors.length, this.#slices(samples));
    for (const group of this.#groups(samples, 'tangent'))
      vectors.forEach((vector, j) => {
        this.#pass('tangent', samples, group, { v: this.#span(vector), out: null });
        let at = 0;
        for (let slice = group.first; slice < group.end; slice++)
          for (const { tangent, image } of tangents) {
            const tape = this.#tape(slice, samples);
            const own = tape.numbers(tangent);
            form.add(j, { slice, at }, own, tape.numbers(image));
            at += own.length;
          }
      });
    this.#ranks.gatherSlices(samples, form.forms, vectors.length ** 2);
    return form.end((i, j) => (λ > 0 ? λ * this.weightDot(vectors[i], vectors[j]) : 0));
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
    const weight = divisorOf(this.#weightOf(samples));
    const slices = this.#slices(samples);
    let length = 0;
    const moments = tasks.map((task): GraphMomentTask => {
      const moment = { ...task, out: this.#span(task.out), at: length };
      length += momentLength(moment, this.network.layers[task.layer], this.#worker.hasPairs(task.layer));
      return moment;
    });
    const sums = this.#momentSums(momentVectors(slices, this.#ranks.place) * length);
    const graph = this.#graphs.independent(tasks.length);
    const work = { count: samples, weight, keep, moments, sums, length, group: this.#ranks.slices(samples) } as const;
    for (const group of this.#workspace.holdsGroups && length > 0 ? this.#drawnGroups(samples) : [work.group])
      this.#runner.run(graph, { ...work, kind: 'moments', group });
    if (slices === 1) this.#ranks.give(tasks.filter(({ of }) => !of.startsWith('gradient')).map(({ out }) => out));
    this.#sumMoments(samples, sums, length);
    this.#runner.run(graph, { ...work, kind: 'put-moments' });
  }

  /** The first vector ← the sum of all ranks' nodes. */
  #sumMoments(samples: number, sums: FloatArray, length: number): void {
    if (!this.#ranks.many) return;
    const vector = (k: number): FloatArray => sums.subarray(k * length, (k + 1) * length);
    const nodes = graphNodes(this.#slices(samples), this.#ranks.place);
    const out = floats(length, this.precision);
    this.#ranks.sum(
      samples,
      nodes.map((_, k) => vector(k)),
      out,
    );
    vector(0).set(out);
  }

  /** Shared memory for so many numbers, kept from one call to the next. */
  #momentSums(length: number): FloatArray {
    if (this.#sums.length < length) this.#sums = sharedFloats(length, this.precision);
    return this.#sums;
  }

  turn(work: Omit<TurnWork, 'kind'>): void {
    this.#runner.run(this.#turnGraph, { ...work, kind: 'turn' });
  }

  bases(sides: readonly BasisTask[]): void {
    const own = sides.filter((_, k) => this.#ranks.isOwn(k));
    this.#runner.run(this.#graphs.independent(own.length), { kind: 'bases', sides: own });
    this.#ranks.share(sides.map(({ vectors }) => this.#array(vectors)));
    this.#ranks.share(sides.map(({ values }) => this.#array(values)));
  }

  gradientSquares(): never {
    return refuseSquares();
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

  /** Outputs of the batch that was measured last, a sample a column: of this rank's samples. */
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
    const { first, length } = this.#ranks.slices(samples);
    this.#runner.run(
      this.#graphs.independent(length),
      { kind: 'evaluate', count: samples, scale, step, gradient, first },
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
    const own = this.#ranks.slices(samples);
    if (!holdsGroups) {
      if (this.#kept !== samples) this.#first(samples, this.#step, false);
      yield own;
      return;
    }
    const scale = this.#scaleOf(samples);
    for (let { first } = own; first < own.end; first += training.kept.length) {
      const group = { first, end: Math.min(own.end, first + training.kept.length) };
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

  /** The factor of losses of so many samples. */
  #scaleOf(samples: number): number {
    return 1 / divisorOf(samples === this.#count ? this.#weight : this.#weightOf(samples));
  }

  #sum(
    samples: number,
    {
      out,
      decayed,
      carry,
      update,
    }: Pick<Extract<GraphWork, { kind: 'sum' | 'finish' }>, 'carry' | 'update'> & {
      readonly out: FloatArray;
      readonly decayed: FloatArray;
    },
  ): void {
    const slices = this.#slices(samples);
    const work = { kind: 'sum', slices, out: this.#span(out), decayed: this.#span(decayed), carry, update } as const;
    this.#runner.run(this.#graphs.blocks, work);
    if (!this.#ranks.many) return;
    if (slices === 1) this.#ranks.give([out]);
    else {
      const nodes = graphNodes(slices, this.#ranks.place);
      const parts = nodes.map(({ first }) => this.#array(this.#worker.partial(graphGroupSlice(slices, first))));
      this.#ranks.sum(samples, parts, out);
    }
    this.#runner.run(this.#graphs.blocks, { ...work, kind: 'finish' });
  }

  #followStatistics(): void {
    const { training, statistics, slice } = this.#workspace;
    const { updates } = training.plan;
    if (updates.length === 0) return;
    const numbers = this.#array(statistics);
    const each = statisticNumbers(training.plan);
    this.#ranks.gatherSlices(this.#count, numbers, each);
    followStatistics(this.parameters, this.network, { updates, numbers, each, count: this.#count, slice });
  }

  #slices(samples: number): number {
    return graphSlices(samples, this.#workspace.slice);
  }

  #firstOf(samples: number, slice: number): number {
    return graphSliceFirst(samples, this.#workspace.slice, slice);
  }

  #losses(samples: number): number {
    this.#ranks.gatherSlices(samples, this.#workspace.results, 1);
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
