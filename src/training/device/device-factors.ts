/**
 * Kronecker factors on a device: errors are drawn at the outputs and taken back there, moments are products there. Of a
 * slice the outputs come here where the loss's curvature depends on them, and the errors go there.
 */
import type { FloatArray } from '../../core/floats.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { DeviceTape } from '../../layers/device-tape.js';
import { drawSeeds, type SampleSigns } from '../../layers/draw.js';
import { divisorOf } from '../../layers/targets.js';
import { lossGradient } from '../../network/losses/evaluate.js';
import { squaredScale, type LossName } from '../../network/losses/table.js';
import { Recorder, type Placement } from '../../tape/device/recorder.js';
import type { Node } from '../../tape/node.js';
import { numbersEach } from '../../tape/shape.js';
import type { DeviceBatch, Slice } from './device-batch.js';
import { MomentPlan } from './moment-plan.js';
import type { DeviceMoment } from './moment-steps.js';
import { takeErrorsBack } from './taken-errors.js';

/** Factors of a batch. */
export class DeviceFactors {
  readonly #batch: DeviceBatch;
  readonly #plan: MomentPlan;
  readonly #signs: SampleSigns | undefined;
  /** Names the moments' launches. */
  readonly #key: string;
  /** Whether errors are those of the samples' own losses. */
  readonly #own: boolean;

  constructor(batch: DeviceBatch, moments: readonly DeviceMoment[], signs: SampleSigns | undefined) {
    const { network, layout } = batch;
    this.#batch = batch;
    this.#plan = new MomentPlan(network, layout.training.draw, moments, layout.at);
    this.#signs = signs;
    this.#key = moments.map(({ at }) => at).join(' ');
    this.#own = moments.some(({ of }) => of === 'squares');
  }

  /**
   * Each ← keep·itself + (1 − keep)·the moment of the first samples, errors drawn by the step. Where columns are
   * counted slice by slice, errors of all slices are drawn twice.
   */
  async update(keep: number, step: number, samples: number): Promise<void> {
    const batch = this.#batch;
    const plan = this.#plan;
    const weight = divisorOf(batch.weightOf(samples));
    const drawn = async (visit: (slice: Slice, tape: DeviceTape) => Promise<void>): Promise<void> =>
      batch.overPassed(samples, async (slice, tape) => {
        if (plan.draws) await this.#draw(slice, tape, step);
        batch.write(plan.shares(keep, { samples, weight, isFirst: slice.s === 0 }), batch.layout.at.shares);
        await visit(slice, tape);
      });
    const ofSlice = async (what: 'counts' | 'slice', slice: Slice, tape: DeviceTape): Promise<void> => {
      const name = `${what} ${this.#key} ${batch.placeOf(slice)}`;
      const at = (node: Node): number => tape.at(node);
      await this.#run(name, { samples: slice.count, at }, (recorder) => {
        if (what === 'counts') plan.recordCounts(recorder);
        else plan.recordSlice(recorder);
      });
    };
    const isWhole = batch.slices(samples).length === 1;
    const none = { samples: 0, at: () => 0 };
    batch.write(plan.shares(keep, { samples, weight, isFirst: true }), batch.layout.at.shares);
    await this.#run(`begin ${this.#key}`, none, (recorder) => plan.recordBegin(recorder));
    if (plan.counts && !isWhole) await drawn(async (slice, tape) => ofSlice('counts', slice, tape));
    if (plan.visits)
      await drawn(async (slice, tape) => {
        if (plan.counts && isWhole) await ofSlice('counts', slice, tape);
        await ofSlice('slice', slice, tape);
      });
    await this.#run(`end ${this.#key}`, none, (recorder) => plan.recordEnd(recorder));
  }

  async #run(name: string, where: Omit<Placement, 'scratch'>, record: (recorder: Recorder) => void): Promise<void> {
    const { momentScratch: scratch } = this.#batch.layout.at;
    const launches = await this.#batch.prepared(`moments: ${name}`, () => {
      const recorder = new Recorder({ ...where, scratch });
      record(recorder);
      return recorder.steps;
    });
    launches.run();
  }

  /** Errors at a slice's outputs, drawn or those of the samples' own losses, taken back. */
  async #draw(slice: Slice, tape: DeviceTape, step: number): Promise<void> {
    const batch = this.#batch;
    const { network, seed } = batch;
    const { loss } = network;
    const { plan } = tape;
    const { first, count } = slice;
    const { output } = plan;
    const known = !this.#own && typeof loss === 'string' && squaredScale(loss, numbersEach(output.shape)) !== null;
    const { targets } = batch.samples();
    const own = { ...targets, offset: first * targets.ld, cols: count };
    await takeErrorsBack(batch, { slice, tape, reads: !known }, (numbers) => {
      if (this.#own) {
        const [leaf] = plan.draw!.seeds;
        const columns = (of: FloatArray): Matrix => view(of, 0, targets.rows, count);
        lossGradient(loss as LossName, columns(numbers(output)), own, columns(numbers(leaf!)));
      } else drawSeeds({ loss, plan, tape: { count, numbers }, seed, first, signs: this.#signs }, own, step);
    });
  }
}
