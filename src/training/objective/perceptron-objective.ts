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
import { sharedFloat64 } from '../../core/shared-array.js';
import type { FloatArray, Precision } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { view } from '../../dense/matrix.js';
import { VectorMemory, type VectorKernels } from '../../dense/vector-memory.js';
import type { Batch } from '../../network/data-set.js';
import type { Picks } from '../../network/sample-order.js';
import { lossOf, squaredScale, type LossName } from '../../network/losses/table.js';
import { layerWeights, type Network } from '../../network/network.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { copySamples } from './copy-samples.js';
import { Graphs, parameterBlocks, sliceCount } from './slices.js';
import { ObjectiveWorker, objectiveTask, type MomentTask, type Work } from './tasks.js';
import { kernelLoss } from './passes.js';
import { checkCode, codeForm, type Code } from './code.js';
import { lossForm, symmetricForm } from './loss-form.js';
import { maskStep } from './mask-step.js';
import type { EvaluateOptions, Measure, Objective, TrainingMemory } from './objective.js';
import { sharedWith, TeamRunner } from './team-runner.js';
import type { TeamChoice } from './team-trial.js';
import { turnGraph, type BasisTask, type TurnWork } from './turn.js';
import type { Update } from './update.js';
import {
  layWorkspace,
  spanOf,
  workspaceBytes,
  type CurvatureKind,
  type Span,
  type Workspace,
  type WorkspaceOptions,
} from './workspace.js';

/** What an objective is opened with. */
export interface PerceptronObjectiveOptions {
  readonly network: Network;
  readonly loss: LossName;
  readonly precision: Precision;
  /** Most samples of a batch. */
  readonly batchSize: number;
  /** Curvature that will be asked for. Default 'none'. */
  readonly curvature?: CurvatureKind | undefined;
  /** A Gaussian code behind one of the layers. Its Gauss–Newton curvature alone is known. Default none. */
  readonly code?: Code | null | undefined;
  /** Numbers that `vector` and `take` will hand out besides. Default 0. */
  readonly spare?: number | undefined;
  /** Share of hidden units that are zeroed in `evaluate`, at least 0 and below 1. Default 0. */
  readonly dropout?: number | undefined;
  readonly regularization?: number | undefined;
  /** Seeds dropout and signs. Default 0. */
  readonly seed?: number | undefined;
  /** Most bytes that may be taken. Default: what there is. */
  readonly memoryLimit?: number | undefined;
  /** Whether the data's inputs were turned, so that Σ x̄x̄ᵀ of the first layer is diagonal. Default false. */
  readonly rotatedInputs?: boolean | undefined;
  readonly blas: Blas;
  /** Works on one thread without one. */
  readonly team?: Team | undefined;
}

const MOST_RESULTS = 64;

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
  #turnGraph: TaskGraph | undefined;
  #count = 0;
  /** Samples whose means belong to the point of the last evaluation. */
  #prepared = 0;
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
    this.diagonalOutputs = this.loss === 'bce' || squaredScale(this.loss, this.network.outputs) !== null;
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
    const worker = new ObjectiveWorker(workspace, memory, options.blas);
    this.#runner = new TeamRunner(objectiveTask, worker, options.team, shared);
    this.team = options.team;
    this.#graphs = new Graphs(parameterBlocks(options.network).length);
  }

  /**
   * Takes the memory: for each sample of a batch some 3 to 6 times the network's units, two vectors of the size of θ
   * and what `spare` asks for. Throws MemoryError, OptionError.
   */
  static async open(options: PerceptronObjectiveOptions): Promise<PerceptronObjective> {
    const { network, loss, precision, batchSize, code = null, dropout = 0, regularization = 0 } = options;
    lossOf(loss);
    if (code !== null) checkCode(network, code, options.curvature);
    if (!(dropout >= 0 && dropout < 1))
      throw new OptionError(`dropout is ${dropout}: it is a share of at least 0 and below 1.`, { dropout });
    if (!(regularization >= 0 && regularization < Infinity))
      throw new OptionError(`regularization is ${regularization}: it is a number of at least 0.`, { regularization });
    if ((options.curvature ?? 'none') !== 'none' && kernelLoss(loss, network.outputs) === null)
      throw new OptionError(
        `Optimizers that use curvature do not know the loss "${loss}" yet: take one of the first order (adam).`,
        { loss },
      );
    const asked: WorkspaceOptions = {
      network,
      loss,
      precision,
      capacity: batchSize,
      curvature: options.curvature ?? 'none',
      code,
      dropout,
      regularization,
      seed: options.seed ?? 0,
      spare: options.spare ?? 0,
      results: sharedFloat64(MOST_RESULTS),
    };
    const memory = VectorMemory.open(workspaceBytes(asked), 'Training', options.memoryLimit);
    const workspace = layWorkspace(memory, asked);
    const { team } = options;
    const shared = await sharedWith(team, workspace);
    return new PerceptronObjective(options, workspace, memory, shared);
  }

  hasFactors(): boolean {
    return true;
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

  /**
   * Takes a batch, or of `batch` the samples that `picks` lists: inputs and targets are copied and converted. Throws
   * ShapeError.
   */
  load({ inputs, targets }: Batch, picks?: Pick<Picks, 'order' | 'first' | 'count'>): void {
    const count = picks?.count ?? inputs.cols;
    if (count > this.capacity || count === 0)
      throw new ShapeError(`The batch has ${count} samples, the objective takes 1 to ${this.capacity}.`, { count });
    const layer = this.network.layers[0];
    const a = this.#array(this.#workspace.layers[0].inputs);
    const y = this.#array(this.#workspace.targets);
    copySamples(inputs, count, picks, a, layer.width);
    copySamples(targets, count, picks, y, targets.rows);
    this.#count = count;
    this.#prepared = 0;
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

  /**
   * Takes the loaded batch as a part of a larger one: the next `evaluate` gives loss, gradient and update of the mean
   * over all parts, its own loaded one the last. N spare numbers are taken once. Curvature is of the last part alone.
   * Throws as `evaluate`, and has then forgotten the parts.
   */
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
    this.#prepared = 0;
    const slices = sliceCount(count);
    this.#runner.run(this.#graphs.slicesAndBlocks(slices), { ...how, kind: 'evaluate', count }, true);
    let loss = 0;
    for (let s = 0; s < slices; s++) loss += this.#workspace.results[s];
    if (!Number.isFinite(loss))
      throw new NonFiniteError('The loss or its gradient is not finite: the parameters have grown too large.', {
        loss,
      });
    return loss;
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
    const slices = sliceCount(count);
    this.#runner.run(this.#graphs.independent(slices), {
      kind: 'measure',
      count,
      parameters: this.#span(parameters),
      step,
    });
    const { results } = this.#workspace;
    let loss = 0;
    let right = 0;
    for (let s = 0; s < slices; s++) {
      loss += results[2 * s];
      right += results[2 * s + 1];
    }
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
    const work: Work = {
      kind: 'product',
      count: samples,
      hessian: of === 'hessian',
      fresh: this.#prepare(samples),
      v: this.#span(v),
      out: this.#span(out),
    };
    this.#runner.run(this.#graphs.slicesAndBlocks(sliceCount(samples)), work);
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
      Float64Array.from(this.errorsOf(ℓ).subarray(0, this.network.layers[ℓ].outputs * samples));
    const kept = vectors.map((v) => {
      const work: Work = { kind: 'tangent', count: samples, fresh: this.#prepare(samples), v: this.#span(v) };
      this.#runner.run(this.#graphs.independent(sliceCount(samples)), work);
      return { output: copies(layers.length - 1), code: code === null ? null : copies(code.layer) };
    });
    const p = means === null ? null : this.#array(means);
    return symmetricForm(vectors.length, (i, j) => {
      let value = lossForm(this.loss, r, p, kept[i].output, kept[j].output);
      if (code !== null) value += codeForm(code, this.#array(code.variances), kept[i].code!, kept[j].code!);
      return value / samples + (λ > 0 ? λ * this.weightDot(vectors[i], vectors[j]) : 0);
    });
  }

  /**
   * Draws signs at the outputs and takes their errors back to every layer, on the first `samples`: what Γ is made of by
   * `moments`. 2nN flops.
   */
  draw(step: number, samples: number = this.#count): void {
    this.#requireCurvature('gauss-newton');
    const work: Work = {
      kind: 'draw',
      count: samples,
      fresh: this.#prepare(samples),
      seed: this.#workspace.seed,
      step,
    };
    this.#runner.run(this.#graphs.independent(sliceCount(samples)), work);
  }

  /**
   * Takes column `output` of every sample's root L_i of Q_i = L_iL_iᵀ back to every layer, on the first `samples`:
   * J_iᵀL_ie_a, whose errors `errorsOf` then has. 2nN flops.
   */
  column(output: number, samples: number = this.#count): void {
    this.#requireCurvature('gauss-newton');
    this.#refuseCode('Columns of the root of its curvature');
    const work: Work = { kind: 'column', count: samples, fresh: this.#prepare(samples), output };
    this.#runner.run(this.#graphs.independent(sliceCount(samples)), work);
  }

  /** Ā_{ℓ−1} of the last evaluation, width × count; its last row ones where the layer has a bias. */
  inputsOf(layer: number): FloatArray {
    return this.#array(this.#workspace.layers[layer].inputs);
  }

  /** The targets of the loaded batch, outputs × count. */
  targetsOf(): FloatArray {
    return this.#array(this.#workspace.targets);
  }

  /** The errors that `draw`, `column` or `product` left at layer ℓ, outputs × samples. */
  errorsOf(layer: number): FloatArray {
    return this.#array(this.#workspace.layers[layer].tangents!);
  }

  /**
   * out ← (1/n) Σ_i g_i∘g_i of the samples' own gradients g_i (without regularization): (1/n) Ā²(D²)ᵀ layer by layer,
   * exact for dense layers. 2nN flops, on the calling thread.
   */
  gradientSquares(out: FloatArray): void {
    const count = this.#count;
    const [a, d] = this.#workspace.turns.map((turn) => this.#array(turn));
    this.network.layers.forEach((layer, ℓ) => {
      const { width, outputs } = layer;
      const spans = this.#workspace.layers[ℓ];
      this.kernels.squares(width * count, 1, this.#array(spans.inputs), 0, a);
      this.kernels.squares(outputs * count, 1, this.#array(spans.errors), 0, d);
      const target = layerWeights(layer, out);
      this.blas.gemm('N', 'T', 1 / count, view(a, 0, width, count), view(d, 0, outputs, count), 0, target);
    });
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
    this.#runner.run(this.#graphs.independent(tasks.length), {
      kind: 'moments',
      count: samples,
      keep,
      moments: tasks.map((task) => ({ ...task, out: this.#span(task.out) })),
    });
  }

  turn(work: Omit<TurnWork, 'kind'>): void {
    this.#turnGraph ??= turnGraph(parameterBlocks(this.network));
    this.#runner.run(this.#turnGraph, { ...work, kind: 'turn' });
  }

  bases(sides: readonly BasisTask[]): void {
    this.#runner.run(this.#graphs.independent(sides.length), { kind: 'bases', sides });
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

  /** Whether the means of the first samples are still to be made; afterwards they are. */
  #prepare(samples: number): boolean {
    const fresh = samples > this.#prepared;
    this.#prepared = Math.max(samples, this.#prepared);
    return fresh;
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
  throw new OptionError(`${what} is for perceptrons (defineNetwork), not for networks of layers: take ${instead}.`, {});
}
