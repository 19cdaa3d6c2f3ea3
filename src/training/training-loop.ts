/**
 * The loop of a training run: steps, evaluations, what is kept, and when it ends.
 */
import type { RunControl } from '../core/context.js';
import { AbortedError, FileFormatError, NonFiniteError, OptionError } from '../core/errors.js';
import type { Blas } from '../dense/blas.js';
import type { FloatArray } from '../dense/matrix.js';
import type { LineFile } from '../io/line-file.js';
import type { GraphLoss } from '../layers/losses.js';
import { SampleOrder, type Picks } from '../network/sample-order.js';
import type { Agreement } from './agreement.js';
import { Breath } from './breath.js';
import type { TrainSettings } from './check-options.js';
import {
  initialState,
  writeBest,
  writeSnapshot,
  type RunSettings,
  type RunState,
  type Snapshot,
} from './checkpoint.js';
import { AugmentedBatches } from './data/augmented-batches.js';
import type { LoopObjective, Measure } from './objective/objective.js';
import type { DeviceStepper, StepPlan, StepReport, Stepper } from './optimizer.js';
import { wholeParameters, type Subject } from './prepare.js';
import type { Evaluated, TrainingOutcome, TrainingRun } from './train-options.js';

/** A checkpoint is no older than this. */
const CHECKPOINT_MILLISECONDS = 120_000;

/** What a loop works with. */
export interface LoopParts {
  readonly subject: Subject;
  readonly loss: GraphLoss;
  readonly settings: TrainSettings;
  /** What its checkpoints are compared by. */
  readonly record: RunSettings;
  /** Samples of a step, and of one of its parts. */
  readonly batchSize: number;
  readonly partSize: number;
  readonly objective: LoopObjective;
  /** The optimizer at work on it. */
  readonly begin: () => Stepper | DeviceStepper;
  readonly metrics: LineFile | null;
  readonly blas: Blas;
  readonly control: RunControl;
  /** With the ranks that train together. */
  readonly agreement: Agreement;
}

/** A run at work. */
export class TrainingLoop {
  readonly #parts: LoopParts;
  readonly #objective: LoopObjective;
  readonly #stepper: Stepper | DeviceStepper;
  readonly #order: SampleOrder;
  readonly #validation: SampleOrder | null;
  readonly #augmented: AugmentedBatches | null;
  readonly #breath: Breath;
  readonly #metrics: LineFile | null;
  readonly #totalSteps: number;
  /** θ of the last good evaluation, and of the best one. */
  readonly #good: FloatArray;
  readonly #best: FloatArray;
  readonly #averaged: FloatArray | null;
  readonly #goodAveraged: FloatArray | null;
  #state: RunState = initialState();
  #batches: Iterator<Picks, void, undefined> | undefined;
  /** What `objective.loads` was when all samples were loaded as one batch. */
  #allLoaded = -1;
  /** What the batch of this step counts in a mean, all parts of it. */
  #stepWeight = 0;
  #lastStep: StepReport | null = null;
  /** Whether there is something that the last checkpoint does not hold. */
  #changed = false;
  #savedAt = performance.now();
  #failure: string | null = null;

  /** Takes the optimizer's memory, and θ from the subject or from a snapshot. Throws as `Stepper`, FileFormatError. */
  constructor(parts: LoopParts, snapshot: Snapshot | null) {
    const { subject, settings, objective, metrics, loss, batchSize } = parts;
    this.#parts = parts;
    this.#objective = objective;
    this.#metrics = metrics;
    this.#breath = new Breath(parts.agreement.ownSignal);
    const { seed, shuffleBytes, epochs, steps, average, augment } = settings;
    const checked = typeof loss === 'string' ? loss : null;
    this.#order = new SampleOrder(subject.training, checked, { batchSize, seed, shuffleBytes });
    this.#validation =
      subject.validation === null
        ? null
        : subject.validation === subject.training
          ? this.#order
          : new SampleOrder(subject.validation, checked, { batchSize: objective.capacity, seed, shuffleBytes });
    this.#augmented = augment === null ? null : new AugmentedBatches(augment, batchSize);
    this.#totalSteps = Math.min(steps, epochs * this.#order.batches);
    objective.parameters.set(subject.parameters);
    this.#averaged = average === null ? null : objective.vector();
    this.#averaged?.set(subject.parameters);
    this.#stepper = parts.begin();
    this.#good = subject.parameters.slice();
    this.#best = subject.parameters.slice();
    this.#goodAveraged = average === null ? null : subject.parameters.slice();
    if (snapshot !== null) this.#restore(snapshot);
    objective.put?.();
  }

  #restore({ state, arrays, stepper }: Snapshot): void {
    const { checkpoint } = this.#parts.settings;
    const put = (name: string, to: FloatArray | null, from: FloatArray | null | undefined): void => {
      if (to === null) return;
      if (from?.length !== to.length || from.constructor !== to.constructor)
        throw new FileFormatError(
          `${checkpoint}: the checkpoint's array "${name}" does not fit this run (${from?.length ?? 'no'} numbers, ` +
            `${to.length} are needed). Begin anew, without resume.`,
          { path: checkpoint, name },
        );
      to.set(from);
    };
    put('parameters', this.#objective.parameters, arrays.parameters);
    put('good', this.#good, arrays.good);
    put('best', this.#best, arrays.best);
    put('averaged', this.#averaged, arrays.averaged);
    put('goodAveraged', this.#goodAveraged, arrays.goodAveraged);
    for (const [name, array] of Object.entries(this.#stepper.arrays)) put(name, array, stepper.arrays[name]);
    Object.assign(this.#stepper.numbers, stepper.numbers);
    this.#stepper.restored?.();
    this.#state = { ...state, evaluations: [...state.evaluations] };
  }

  /** Trains. Throws AbortedError, after the checkpoint was written, and what reading the data throws. */
  async run(): Promise<TrainingRun> {
    this.#report();
    try {
      this.#agree();
      let outcome = await this.#steps();
      if (outcome !== 'diverged') {
        await this.#save();
        if (!this.#evaluatedNow && !(await this.#evaluate())) outcome = this.#diverge();
        else if (outcome !== 'patience' && this.#reached()) outcome = 'target';
      }
      if (outcome === 'diverged') await this.#restoreGood();
      else await this.#objective.fetch?.();
      this.#report(true);
      this.#metrics?.add(JSON.stringify({ kind: 'end', outcome, failure: this.#failure }));
      await this.#metrics?.flush();
      return this.#result(outcome);
    } catch (error) {
      if (error instanceof AbortedError) await this.#save();
      throw error;
    }
  }

  /** The clock of the first rank, and that all ranks are at the same point. Throws AbortedError, CommunicationError. */
  #agree(): void {
    const { agreement } = this.#parts;
    this.#state.seconds = agreement.seconds(this.#state.seconds);
    agreement.requireSame(this.#objective.parameters, this.#state.step);
  }

  async #steps(): Promise<TrainingOutcome> {
    for (;;) {
      if (this.#evaluationDue) {
        if (!(await this.#evaluate())) return this.#diverge();
        await this.#save();
      }
      const outcome = this.#ending();
      if (outcome !== null) return outcome;
      if (!(await this.#step())) return 'diverged';
      if (!this.#breath.due) continue;
      this.#report();
      await this.#metrics?.flush();
      if (performance.now() - this.#savedAt > CHECKPOINT_MILLISECONDS) await this.#save();
      await this.#breath.take();
    }
  }

  get #evaluatedNow(): boolean {
    return this.#state.evaluations.at(-1)?.step === this.#state.step;
  }

  get #evaluationDue(): boolean {
    const { step, batch } = this.#state;
    const { evaluateEvery } = this.#parts.settings;
    return step > 0 && (evaluateEvery === null ? batch === 0 : step % evaluateEvery === 0) && !this.#evaluatedNow;
  }

  /** Why the run is over; null while it is not. */
  #ending(): TrainingOutcome | null {
    const { evaluations, best, step, seconds } = this.#state;
    const { patience, seconds: most } = this.#parts.settings;
    if (this.#reached()) return 'target';
    if (evaluations.length - 1 - best >= patience && best >= 0) return 'patience';
    if (step >= this.#totalSteps) return 'finished';
    return seconds >= most ? 'seconds' : null;
  }

  /** Whether the last evaluation reached a target. Throws OptionError where its accuracy has no meaning. */
  #reached(): boolean {
    const last = this.#state.evaluations.at(-1);
    if (last === undefined) return false;
    const { targetLoss, targetAccuracy } = this.#parts.settings;
    const loss = last.validationLoss ?? last.trainingLoss;
    const accuracy = last.validationAccuracy ?? last.trainingAccuracy;
    if (targetAccuracy !== null && accuracy === null)
      throw new OptionError(
        'targetAccuracy has no meaning here: some targets lie between 0 and 1, and are no classes.',
        {
          targetAccuracy,
        },
      );
    return (
      (targetLoss !== null && loss !== null && loss <= targetLoss) ||
      (targetAccuracy !== null && accuracy !== null && accuracy >= targetAccuracy)
    );
  }

  /** The share of the run that is done. */
  get #share(): number {
    const { step, seconds } = this.#state;
    return Math.min(1, Math.max(step / this.#totalSteps, seconds / this.#parts.settings.seconds));
  }

  /** Takes a step; whether loss and gradient were finite. */
  async #step(): Promise<boolean> {
    const begin = performance.now();
    const state = this.#state;
    const { subject, settings } = this.#parts;
    const { schedule, optimizer, clip } = settings;
    const factor = schedule.factor({ step: state.step, epoch: state.epoch, progress: this.#share });
    if (!(factor >= 0 && factor < Infinity))
      throw new OptionError(`The schedule ${schedule.name} gives the factor ${factor} at step ${state.step}.`, {
        factor,
        step: state.step,
      });
    const plan: StepPlan = { step: state.step, factor, layers: subject.plans, clip };
    const batch = this.#nextBatch();
    const { count } = batch;
    let report: StepReport;
    try {
      await this.#load(batch, state.step);
      if (this.#stepper.prepare !== undefined) await this.#stepper.prepare(this.#parts.agreement.ownSignal);
      report = await this.#stepper.step(plan);
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error;
      this.#failure = this.#failureText(error.message);
      return false;
    }
    this.#changed = true;
    state.step++;
    state.batch++;
    if (state.batch === this.#order.batches) {
      state.batch = 0;
      state.epoch++;
      this.#batches = undefined;
    }
    state.samples += count;
    state.lossSum += report.loss * this.#stepWeight;
    state.lossSamples += this.#stepWeight;
    await this.#average();
    state.seconds = this.#parts.agreement.seconds(state.seconds + (performance.now() - begin) / 1000);
    this.#lastStep = report;
    if (this.#metrics !== null) {
      const { learningRate } = optimizer;
      const { step, epoch, samples, seconds } = state;
      const rate = learningRate === null ? null : learningRate * factor;
      this.#metrics.add(JSON.stringify({ kind: 'step', step, epoch, samples, seconds, rate, ...report }));
    }
    return true;
  }

  #nextBatch(): Picks {
    const { epoch, batch } = this.#state;
    this.#batches ??= this.#order.picks(epoch, batch);
    const next = this.#batches.next();
    if (next.done === true) throw new OptionError(`Epoch ${epoch} has no batch ${batch}.`, { epoch, batch });
    return this.#augmented?.of(next.value, epoch) ?? next.value;
  }

  /** Loads the batch, all parts but the last into the sum of gradients. */
  async #load(picks: Picks, step: number): Promise<void> {
    const objective = this.#objective;
    const { partSize } = this.#parts;
    if (objective.loads === this.#allLoaded) return;
    objective.forget();
    this.#stepWeight = 0;
    for (let at = 0; at < picks.count; at += partSize) {
      const count = Math.min(partSize, picks.count - at);
      objective.load(picks, { order: picks.order, first: picks.first + at, count });
      this.#stepWeight += objective.weight;
      if (at + count < picks.count) await objective.accumulate({ step });
    }
    const same = this.#augmented === null && this.#order.batches === 1;
    if (same && partSize >= picks.count) this.#allLoaded = objective.loads;
  }

  /** θ̄ ← κₜθ̄ + (1 − κₜ)θ. */
  async #average(): Promise<void> {
    if (this.#averaged === null) return;
    const objective = this.#objective;
    const { kernels, parameters } = objective;
    const t = this.#state.step;
    const keep = Math.min(this.#parts.settings.average!, t / (9 + t));
    if (objective.follow !== undefined) await objective.follow(this.#averaged, keep);
    else kernels.combine(parameters.length, 1 - keep, parameters, keep, this.#averaged);
  }

  /** Evaluates, and keeps what is good or best; whether everything was finite, which `anyway` does not ask for. */
  async #evaluate(anyway = false): Promise<boolean> {
    const state = this.#state;
    const { parameters, kernels } = this.#objective;
    const { targetLoss, targetAccuracy } = this.#parts.settings;
    const validation = this.#validation;
    const vectors = this.#averaged === null ? [parameters] : [parameters, this.#averaged];
    await this.#objective.fetch?.();
    this.#agree();
    const onTraining = validation === null && (targetLoss !== null || targetAccuracy !== null);
    const [own, averaged] = validation === null ? [] : await this.#measure(validation, vectors);
    const [training] = onTraining ? await this.#measure(this.#order, [parameters]) : [];
    const { epoch, step, samples, seconds, lossSum, lossSamples } = state;
    const at: Evaluated = {
      epoch,
      step,
      samples,
      seconds,
      loss: lossSamples === 0 ? null : lossSum / lossSamples,
      validationLoss: own?.loss ?? null,
      validationAccuracy: own?.accuracy ?? null,
      trainingLoss: training?.loss ?? null,
      trainingAccuracy: training?.accuracy ?? null,
      averagedLoss: averaged?.loss ?? null,
      averagedAccuracy: averaged?.accuracy ?? null,
    };
    this.#metrics?.add(JSON.stringify({ kind: 'evaluation', ...at }));
    const losses = [at.loss, at.validationLoss, at.trainingLoss];
    const finite =
      losses.every((loss) => loss === null || Number.isFinite(loss)) && kernels.finite(parameters.length, parameters);
    if (!finite && !anyway) return false;
    this.#changed = true;
    state.lossSum = 0;
    state.lossSamples = 0;
    state.evaluations.push(at);
    this.#good.set(parameters);
    if (this.#averaged !== null) this.#goodAveraged!.set(this.#averaged);
    if (state.best < 0 || criterion(at) < criterion(state.evaluations[state.best])) {
      state.best = state.evaluations.length - 1;
      this.#best.set(parameters);
      const { checkpoint } = this.#parts.settings;
      if (checkpoint !== null && this.#parts.agreement.writes) {
        const { place } = this.#parts.subject;
        await writeBest(checkpoint, place.network, this.#whole(parameters));
      }
    }
    return true;
  }

  /** Mean loss and accuracy over all samples (or tokens) of vectors laid out like θ. */
  async #measure(order: SampleOrder, vectors: readonly FloatArray[]): Promise<Measure[]> {
    const objective = this.#objective;
    const sums = vectors.map(() => ({ loss: 0, accuracy: 0, known: true }));
    let total = 0;
    for (const batch of order.inOrder(objective.capacity)) {
      objective.load(batch);
      const { weight } = objective;
      for (const [k, vector] of vectors.entries()) {
        const { loss, accuracy } = await objective.measure(vector);
        sums[k].loss += loss * weight;
        sums[k].accuracy += (accuracy ?? 0) * weight;
        sums[k].known &&= accuracy !== null;
      }
      total += weight;
      await this.#breath.takeIfDue();
      this.#parts.agreement.seconds(0);
    }
    // A data set may have reused what the epoch's chunk lies in.
    if (order === this.#order) this.#batches = undefined;
    return sums.map(({ loss, accuracy, known }) => ({
      loss: loss / Math.max(1, total),
      accuracy: known ? accuracy / Math.max(1, total) : null,
    }));
  }

  #failureText(message: string): string {
    const { step, epoch } = this.#state;
    const { learningRate } = this.#parts.settings.optimizer;
    const advice = learningRate === null ? '' : ` Lower the learning rate (${learningRate}).`;
    return `Training diverged in epoch ${epoch + 1}, step ${step + 1} in all: ${message}${advice}`;
  }

  #diverge(): TrainingOutcome {
    this.#failure = this.#failureText('the loss or a parameter is not finite.');
    return 'diverged';
  }

  /** Puts the last good parameters back; evaluates them where that was never done. */
  async #restoreGood(): Promise<void> {
    const state = this.#state;
    this.#objective.parameters.set(this.#good);
    this.#averaged?.set(this.#goodAveraged!);
    this.#objective.put?.();
    if (state.evaluations.length > 0) return;
    state.lossSum = 0;
    state.lossSamples = 0;
    const { step } = state;
    state.step = 0;
    await this.#evaluate(true);
    state.step = step;
  }

  async #save(): Promise<void> {
    const { checkpoint } = this.#parts.settings;
    await this.#metrics?.flush();
    const { subject, record, agreement } = this.#parts;
    if (checkpoint === null || !this.#changed || !agreement.writes) return;
    await this.#objective.fetch?.();
    await writeSnapshot(checkpoint, {
      settings: record,
      state: this.#state,
      place: subject.place,
      metrics: this.#metrics?.bytes ?? null,
      arrays: {
        parameters: this.#objective.parameters,
        good: this.#good,
        best: this.#best,
        averaged: this.#averaged,
        goodAveraged: this.#goodAveraged,
      },
      stepper: this.#stepper,
    });
    this.#changed = false;
    this.#savedAt = performance.now();
  }

  #whole(θ: FloatArray): FloatArray {
    return wholeParameters(this.#parts.subject.place, θ, this.#parts.blas);
  }

  /** Steps of all steps, or milliseconds where only seconds limit the run. */
  #report(over = false): void {
    const { onProgress } = this.#parts.control;
    if (onProgress === undefined) return;
    const { step, seconds } = this.#state;
    const values = this.#values();
    if (this.#totalSteps < Infinity) {
      onProgress({ phase: 'train', done: over ? this.#totalSteps : step, total: this.#totalSteps, values });
      return;
    }
    const total = Math.ceil(1000 * this.#parts.settings.seconds);
    onProgress({ phase: 'train', done: over ? total : Math.min(total, Math.round(1000 * seconds)), total, values });
  }

  /** What progress tells of the last step and the last evaluation. */
  #values(): Record<string, number> {
    const { loss, damping, cgIterations } = this.#lastStep ?? {};
    const last = this.#state.evaluations.at(-1);
    const accuracy = last?.validationAccuracy ?? last?.trainingAccuracy ?? undefined;
    const told = { loss, accuracy, damping, cgIterations };
    return Object.fromEntries(
      Object.entries(told).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
  }

  #result(outcome: TrainingOutcome): TrainingRun {
    const { step, epoch, samples, seconds, evaluations, best } = this.#state;
    const { subject, settings } = this.#parts;
    const { optimizer } = settings;
    const { prefix } = subject.place;
    return {
      outcome,
      failure: outcome === 'diverged' ? this.#failure : null,
      parameters: this.#whole(this.#objective.parameters),
      averaged: this.#averaged === null ? null : this.#whole(this.#averaged),
      best: { parameters: this.#whole(best < 0 ? this.#good : this.#best), at: evaluations[Math.max(0, best)] },
      evaluations,
      steps: step,
      epochs: epoch,
      samples,
      seconds,
      optimizer: {
        name: optimizer.name,
        settings: optimizer.settings,
        rules: [
          ...Array.from({ length: prefix }, () => 'frozen'),
          ...this.#stepper.rules.map((rule, ℓ) => (subject.plans[ℓ] === null ? 'frozen' : rule)),
        ],
      },
      team: this.#objective.teamChoice,
      memory: this.#objective.memory,
      lastStep: this.#lastStep,
    };
  }
}

/** What the best evaluation has the least of. */
const criterion = ({ validationLoss, trainingLoss, loss }: Evaluated): number =>
  validationLoss ?? trainingLoss ?? loss ?? Infinity;
