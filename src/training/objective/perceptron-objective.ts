/**
 * The objective of training: f(θ) = (1/n) Σ_i loss_i + (λ/2)‖W‖² of a batch, its gradient, and curvature at the same
 * point from the same passes. Everything it works on is taken when it is opened; a step allocates nothing of the size
 * of θ or of the batch.
 *
 * On a team, slices of samples and blocks of parameters are tasks over one shared memory (slices.ts), one fork and join
 * a gradient, the update of the parameters included. Trials, repeated now and then, tell the faster way
 * (team-trial.ts): the bits are the same.
 */
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import type { FloatArray, Precision } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { VectorMemory, type VectorKernels } from '../../dense/vector-memory.js';
import type { Batch } from '../../network/data-set.js';
import type { Picks } from '../../network/sample-order.js';
import { lossOf, type LossName } from '../../network/losses/table.js';
import type { Network } from '../../network/network.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { copySamples } from './copy-samples.js';
import { ownNodes, panelsOf, rankSlice } from './group-sums.js';
import { Graphs, groupCount, parameterBlocks, sliceCount, sliceFirst } from './slices.js';
import { ObjectiveWorker, objectiveTask, type MomentPart, type MomentTask, type SumWork, type Work } from './tasks.js';
import { hasDiagonalOutputs, symmetricForm } from './loss-form.js';
import { sliceForms, type KeptTangents } from './slice-forms.js';
import { maskStep } from './mask-step.js';
import type { EvaluateOptions, Measure, Objective, TrainingMemory } from './objective.js';
import { workspaceOptions, type PerceptronObjectiveOptions } from './perceptron-options.js';
import { SampleRanks } from '../../distributed/sample-ranks.js';
import { sharedWith, TeamRunner } from './team-runner.js';
import type { TeamChoice } from './team-trial.js';
import { turnGraph, type BasisTask, type TurnWork } from './turn.js';
import type { Update } from './update.js';
import { layWorkspace, spanOf, workspaceBytes, type Span, type Workspace } from './workspace.js';

export type { PerceptronObjectiveOptions } from './perceptron-options.js';

/** The objective of a perceptron, by closed forms. */
export class PerceptronObjective implements Objective {
  readonly network: Network;
  readonly loss: LossName;
  readonly precision: Precision;
  readonly kernels: VectorKernels;
  readonly blas: Blas;
  readonly team: Team | undefined;
  /** θ; to be changed in place. */
  readonly parameters: FloatArray;
  /** ∇f of the last `evaluate`, turned as it was asked for. */
  readonly gradient: FloatArray;
  readonly capacity: number;
  readonly rotatedInputs: boolean;
  readonly diagonalOutputs: boolean;
  readonly turnsSamples = true;
  /** Share of hidden units that `evaluate` zeroes. */
  readonly dropout: number;
  readonly regularization: number;
  readonly isRandom: boolean;
  readonly memory: TrainingMemory;
  readonly usesBatchStatistics = false;
  loads = 0;
  readonly #workspace: Workspace;
  readonly #memory: VectorMemory;
  readonly #runner: TeamRunner<Workspace, Work>;
  readonly #graphs: Graphs;
  readonly #ranks: SampleRanks;
  #turnGraph: TaskGraph | undefined;
  #count = 0;
  /** Samples whose means belong to the point of the last evaluation. */
  #prepared = 0;
  /** Slices whose passes are here, those of the last evaluation, and its masks. */
  #held = { first: 0, end: 0 };
  #step: number | null = null;
  /** Layers whose inputs came from all ranks. */
  readonly #gathered = new Set<number>();
  /** Σ nᵢ∇fᵢ of the parts of a batch that `accumulate` has taken, their losses likewise, their samples and number. */
  #carry: FloatArray | undefined;
  readonly #carried = { loss: 0, samples: 0, parts: 0 };

  private constructor(
    options: PerceptronObjectiveOptions,
    workspace: Workspace,
    memory: VectorMemory,
    shared: Shared<Workspace> | undefined,
  ) {
    this.network = options.network;
    this.loss = options.loss;
    this.precision = options.precision;
    this.capacity = options.batchSize;
    this.rotatedInputs = options.rotatedInputs ?? false;
    this.diagonalOutputs = hasDiagonalOutputs(this.loss, this.network.outputs);
    this.dropout = workspace.dropout;
    this.regularization = workspace.regularization;
    this.isRandom = workspace.dropout > 0 || workspace.code !== null;
    this.blas = options.blas;
    this.kernels = memory.kernels(options.precision);
    this.memory = { bytes: memory.bytes, recomputes: false };
    this.#workspace = workspace;
    this.#memory = memory;
    this.parameters = this.#array(workspace.parameters);
    this.gradient = this.#array(workspace.gradient);
    const { blas, team } = options;
    const worker = new ObjectiveWorker(workspace, memory, { blas, worker: 0 });
    const exchange = workspace.exchange === null ? null : this.#array(workspace.exchange);
    const shares = { nodes: ownNodes, firstSlice: rankSlice, firstSample: sliceFirst };
    this.#ranks = new SampleRanks(team?.communicator, shares, exchange);
    this.#runner = new TeamRunner(objectiveTask, worker, team, shared);
    this.team = team;
    this.#graphs = new Graphs(parameterBlocks(options.network).length);
  }

  /**
   * Takes the memory: for each sample of a batch some 3 to 6 times the network's units, two vectors of the size of θ
   * and what `spare` asks for. Throws MemoryError, OptionError.
   */
  static async open(options: PerceptronObjectiveOptions): Promise<PerceptronObjective> {
    const asked = workspaceOptions(options);
    const memory = VectorMemory.open(workspaceBytes(asked), 'Training', options.memoryLimit);
    const workspace = layWorkspace(memory, asked);
    const shared = await sharedWith(options.team, workspace);
    return new PerceptronObjective(options, workspace, memory, shared);
  }

  get teamChoice(): TeamChoice {
    return this.#runner.choice;
  }

  get count(): number {
    return this.#count;
  }

  get weight(): number {
    return this.#count;
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
    const layer = this.network.layers[0];
    const a = this.#array(this.#workspace.layers[0].inputs);
    const y = this.#array(this.#workspace.targets);
    // Curvature may be asked for of the first samples alone, whose shares are other ones.
    const { first, end } = this.#workspace.curvature === 'none' ? this.#ranks.samples(count) : { first: 0, end: count };
    const own = { order: picks?.order, first: (picks?.first ?? 0) + first };
    copySamples(inputs, end - first, own, a.subarray(first * layer.width), layer.width);
    copySamples(targets, end - first, own, y.subarray(first * targets.rows), targets.rows);
    this.#count = count;
    this.#prepared = 0;
    this.#held = { first: 0, end: 0 };
    this.loads++;
  }

  /**
   * f(θ) of the loaded batch; ∇f in `gradient`; then, in the same pass over the parameters, the update, if any.
   * `step` tells dropout's masks; without it nothing is dropped. `turned` has sides by which ∇f is turned: without
   * parts and regularization. 6nN flops. Throws NonFiniteError where loss or errors
   * are not finite: θ is then as it was.
   */
  evaluate({ update = null, step = null, turned = null }: EvaluateOptions = {}): number {
    const { samples, loss: before, parts } = this.#carried;
    this.forget();
    const total = this.#count + samples;
    const penalty = this.#penalty(this.parameters);
    const carry =
      samples === 0 ? null : { sum: this.#span(this.#carry!), own: this.#count / total, others: 1 / total, last: true };
    return (this.#pass({ carry, update, step: maskStep(step, parts), turned }) + before) / total + penalty;
  }

  accumulate({ step = null }: { step?: number | null } = {}): void {
    const carry = (this.#carry ??= this.vector());
    const carried = this.#carried;
    const part = { sum: this.#span(carry), own: this.#count, others: carried.samples === 0 ? 0 : 1, last: false };
    try {
      carried.loss += this.#pass({ carry: part, update: null, step: maskStep(step, carried.parts), turned: null });
    } catch (error) {
      this.forget();
      throw error;
    }
    carried.samples += this.#count;
    carried.parts++;
  }

  forget(): void {
    Object.assign(this.#carried, { loss: 0, samples: 0, parts: 0 });
  }

  /** Evaluates the loaded batch; the sum of its losses. */
  #pass(how: Omit<Extract<Work, { kind: 'evaluate' }>, 'kind' | 'count'>): number {
    const count = this.#count;
    const work = { ...how, kind: 'evaluate', count } as const;
    this.#prepared = 0;
    this.#gathered.clear();
    this.#step = how.step;
    this.#held = this.#ranks.slices(count);
    this.#runner.run(this.#graphs.slicesAndBlocks(this.#held.end - this.#held.first), work, true);
    const { loss } = this.#results(count);
    if (!Number.isFinite(loss))
      throw new NonFiniteError('The loss or its gradient is not finite: the parameters have grown too large.', {
        loss,
      });
    this.#finish(work, this.gradient);
    return loss;
  }

  /** The sums of losses, and of samples that are right, over all slices. */
  #results(count: number): { readonly loss: number; readonly right: number } {
    const { results } = this.#workspace;
    this.#ranks.gatherSlices(count, results, 2);
    let loss = 0;
    let right = 0;
    for (let s = 0; s < sliceCount(count); s++) {
      loss += results[2 * s];
      right += results[2 * s + 1];
    }
    return { loss, right };
  }

  /** Sums of own groups, and what is done with those of all. */
  #sum(work: SumWork, out: FloatArray): void {
    this.#runner.run(this.#graphs.slicesAndBlocks(this.#ranks.slices(work.count).length), work);
    this.#finish(work, out);
  }

  /** out ← the sum of all ranks' parts, and what is done with it; a single rank has done so. */
  #finish(work: SumWork, out: FloatArray): void {
    if (!this.#ranks.many) return;
    this.#ranks.sum(work.count, this.#parts, out);
    this.#runner.run(this.#graphs.blocks, { kind: 'finish', work });
  }

  get #parts(): FloatArray[] {
    return this.#workspace.parts.map((part) => this.#array(part));
  }

  /** Work of own slices alone. */
  #slices(work: Work & { readonly count: number }): void {
    this.#runner.run(this.#graphs.independent(this.#ranks.slices(work.count).length), work);
  }

  update(update: Update): void {
    this.#runner.run(this.#graphs.blocks, { kind: 'update', update });
  }

  /**
   * f and accuracy of the loaded batch at θ or at another vector; keeps the passes. With `step` the masks of dropout
   * are those of `evaluate` at that step, without it nothing is dropped. 2nN flops.
   */
  measure(parameters: FloatArray = this.parameters, step: number | null = null): Measure {
    const count = this.#count;
    this.#slices({ kind: 'measure', count, parameters: this.#span(parameters), step });
    const { loss, right } = this.#results(count);
    return {
      loss: loss / count + this.#penalty(parameters),
      accuracy: lossOf(this.loss).decision === null || Number.isNaN(right) ? null : right / count,
    };
  }

  /**
   * out ← ∇²f·v or G·v at the point of the last `evaluate`, on the batch's first `samples` (default: all). v and out
   * are vectors of this objective. 8nN flops.
   */
  product(of: 'gauss-newton' | 'hessian', v: FloatArray, out: FloatArray, samples: number = this.#count): void {
    this.#requireCurvature(of);
    const fresh = this.#prepare(samples);
    const ends = { v: this.#span(v), out: this.#span(out) };
    this.#sum({ kind: 'product', count: samples, hessian: of === 'hessian', fresh, ...ends }, out);
  }

  /**
   * The k × k matrix Vᵀ(G + λI_W)V of k vectors on the batch's first `samples`, by J·v alone: 4nN flops a vector. λ is
   * that of the regularization.
   */
  quadratic(vectors: readonly FloatArray[], samples: number = this.#count): Float64Array {
    this.#requireCurvature('gauss-newton');
    const r = this.network.outputs;
    const { layers, means, code, regularization: λ } = this.#workspace;
    const copies = (ℓ: number): Float64Array =>
      Float64Array.from(this.#errorsOf(ℓ).subarray(0, this.network.layers[ℓ].outputs * samples));
    const kept = vectors.map((v): KeptTangents => {
      this.#slices({ kind: 'tangent', count: samples, fresh: this.#prepare(samples), v: this.#span(v) });
      return { output: copies(layers.length - 1), code: code === null ? null : copies(code.layer) };
    });
    const p = means === null ? null : this.#array(means);
    const variances = code === null ? null : this.#array(code.variances);
    const k = vectors.length;
    const at = { loss: this.loss, outputs: r, means: p, code, variances };
    const forms = sliceForms(at, kept, samples, this.#ranks.slices(samples));
    this.#ranks.gatherSlices(samples, forms, k * k);
    return symmetricForm(k, (i, j) => {
      let value = 0;
      for (let s = 0; s < forms.length; s += k * k) value += forms[s + i * k + j];
      return value / samples + (λ > 0 ? λ * this.weightDot(vectors[i], vectors[j]) : 0);
    });
  }

  /**
   * Draws signs at the outputs and takes their errors back to every layer, on the first `samples`: what Γ is made of by
   * `moments`. 2nN flops.
   */
  draw(step: number, samples: number = this.#count): void {
    this.#requireCurvature('gauss-newton');
    this.#slices({ kind: 'draw', count: samples, fresh: this.#prepare(samples), seed: this.#workspace.seed, step });
  }

  /**
   * Takes column `output` of every sample's root L_i of Q_i = L_iL_iᵀ back to every layer, on the first `samples`:
   * J_iᵀL_ie_a, whose errors `errorsOf` then has. 2nN flops.
   */
  column(output: number, samples: number = this.#count): void {
    this.#requireCurvature('gauss-newton');
    this.#refuseCode('Columns of the root of its curvature');
    this.#slices({ kind: 'column', count: samples, fresh: this.#prepare(samples), output });
  }

  /** Ā_{ℓ−1} of the last evaluation, width × count; its last row ones where the layer has a bias. Collective. */
  inputsOf(layer: number): FloatArray {
    const inputs = this.#array(this.#workspace.layers[layer].inputs);
    if (layer > 0 && !this.#gathered.has(layer)) {
      this.#hold(this.#count);
      this.#ranks.gatherSamples(this.#count, inputs, this.network.layers[layer].width);
      this.#gathered.add(layer);
    }
    return inputs;
  }

  /** The targets of the loaded batch, outputs × count. */
  targetsOf(): FloatArray {
    return this.#array(this.#workspace.targets);
  }

  /** The errors that `column` or `product` of all samples left at layer ℓ, outputs × samples. Collective. */
  errorsOf(layer: number): FloatArray {
    const errors = this.#errorsOf(layer);
    this.#ranks.gatherSamples(this.#count, errors, this.network.layers[layer].outputs);
    return errors;
  }

  /** Those of this rank's samples. */
  #errorsOf(layer: number): FloatArray {
    return this.#array(this.#workspace.layers[layer].tangents!);
  }

  /**
   * out ← (1/n) Σ_i g_i∘g_i of the samples' own gradients g_i (without regularization): (1/n) Ā²(D²)ᵀ layer by layer,
   * exact for dense layers. 2nN flops.
   */
  gradientSquares(out: FloatArray): void {
    const count = this.#count;
    this.#hold(count);
    const slices = this.#graphs.slicesAndBlocks(this.#ranks.slices(count).length);
    const of = this.#span(out);
    this.network.layers.forEach((_, layer) => {
      this.#runner.run(slices, { kind: 'squares', count, layer, out: of });
    });
    this.#ranks.sum(count, this.#parts, out);
  }

  /**
   * out ← keep·out + (1 − keep)·(1/samples) Σ x xᵀ for each asked moment, of inputs or of drawn errors; of gradients
   * without the mean.
   */
  moments(
    tasks: readonly (Omit<MomentTask, 'out'> & { readonly out: FloatArray })[],
    keep: number,
    samples: number = this.#count,
  ): void {
    this.#hold(samples);
    const whole = groupCount(samples) === 1;
    let at = 0;
    const moments = tasks.flatMap((task): MomentPart[] => {
      const moment = { ...task, out: this.#span(task.out) };
      const { layer, of, diagonal } = task;
      if (whole || of === 'gradientRows' || of === 'gradientColumns') return [{ moment, panel: null, at }];
      const { width, outputs } = this.network.layers[layer];
      return panelsOf(of === 'inputs' ? width : outputs, diagonal).map((panel) => {
        const part = { moment, panel, at };
        at += panel.length;
        return part;
      });
    });
    const work = { count: samples, keep, moments } as const;
    // A single group is the first rank's, which makes its moments where they are.
    const idle = whole && this.#ranks.place.rank > 0;
    const made = idle ? moments.filter(({ moment: { of } }) => of.startsWith('gradient')) : moments;
    this.#runner.run(this.#graphs.independent(made.length), { ...work, moments: made, kind: 'moments' });
    if (whole) this.#ranks.give(tasks.filter(({ of }) => !of.startsWith('gradient')).map(({ out }) => out));
    const { momentParts, momentSum } = this.#workspace;
    if (momentSum === null || at === 0) return;
    const parts = momentParts.map((part) => this.#array(part).subarray(0, at));
    this.#ranks.sum(samples, parts, this.#array(momentSum).subarray(0, at));
    const panels = moments.filter(({ panel }) => panel !== null);
    this.#runner.run(this.#graphs.independent(panels.length), { ...work, moments: panels, kind: 'finish-moments' });
  }

  turn(work: Omit<TurnWork, 'kind'>): void {
    this.#turnGraph ??= turnGraph(parameterBlocks(this.network));
    this.#runner.run(this.#turnGraph, { ...work, kind: 'turn' });
  }

  bases(sides: readonly BasisTask[]): void {
    const own = sides.filter((_, k) => this.#ranks.isOwn(k));
    this.#runner.run(this.#graphs.independent(own.length), { kind: 'bases', sides: own });
    this.#ranks.share(sides.map(({ vectors }) => this.#array(vectors)));
    this.#ranks.share(sides.map(({ values }) => this.#array(values)));
  }

  weightDot(x: FloatArray, y: FloatArray): number {
    let sum = this.kernels.dot(x.length, x, y);
    for (const { width, inputs, outputs, offset } of this.network.layers) {
      if (width === inputs) continue;
      for (let p = 0; p < outputs; p++) {
        const at = offset + p * width + inputs;
        sum -= x[at] * y[at];
      }
    }
    return sum;
  }

  close(): void {
    this.#runner.close();
  }

  #penalty(θ: FloatArray): number {
    const { regularization } = this.#workspace;
    return regularization === 0 ? 0 : 0.5 * regularization * this.weightDot(θ, θ);
  }

  /**
   * Whether the means of the first samples are still to be made; afterwards they are. Of several ranks each has other
   * ones of another number of samples.
   */
  #prepare(samples: number): boolean {
    this.#hold(samples);
    const fresh = this.#ranks.many ? samples !== this.#prepared : samples > this.#prepared;
    this.#prepared = fresh ? samples : this.#prepared;
    return fresh;
  }

  /**
   * Forward and backward of the slices that this rank's share of the first samples lies in, where they are not here:
   * the batch's own slices, for the bits' sake.
   */
  #hold(samples: number): void {
    const own = this.#ranks.samples(samples);
    if (!this.#ranks.many || own.first === own.end) return;
    const count = this.#count;
    let first = 0;
    while (sliceFirst(count, first + 1) <= own.first) first++;
    let end = first;
    while (sliceFirst(count, end) < own.end) end++;
    if (this.#held.first <= first && end <= this.#held.end) return;
    this.#held = { first, end };
    this.#runner.run(this.#graphs.independent(end - first), { kind: 'again', count, first, step: this.#step });
  }

  #refuseCode(what: string): void {
    if (this.#workspace.code === null) return;
    throw new OptionError(`${what} are not known of a network with a code: take another optimizer (ekfacAdam).`, {});
  }

  #requireCurvature(of: 'gauss-newton' | 'hessian'): void {
    const { curvature } = this.#workspace;
    if (curvature === 'none' || (of === 'hessian' && curvature !== 'hessian'))
      throw new OptionError(`The objective was opened with curvature: '${curvature}', and '${of}' is asked for.`, {
        curvature,
        of,
      });
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

/** The objective, where it is that of a perceptron. Throws OptionError that names `instead` otherwise. */
export function requirePerceptron(objective: Objective, what: string, instead: string): PerceptronObjective {
  if (objective instanceof PerceptronObjective) return objective;
  return refuseLayers(what, instead);
}

/** Throws OptionError: a network of layers does not do that, but `instead`. */
export function refuseLayers(what: string, instead: string): never {
  throw new OptionError(`${what} is for perceptrons (defineNetwork), not for networks of layers: take ${instead}.`, {});
}
