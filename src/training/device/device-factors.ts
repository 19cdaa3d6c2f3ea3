/**
 * Kronecker factors on a device: errors are drawn at the outputs and taken back there, moments are products there. Of a
 * slice the outputs come here where the loss's curvature depends on them, and the errors go there.
 */
import { OptionError } from '../../core/errors.js';
import { floats, type FloatArray } from '../../core/floats.js';
import type { DeviceTape } from '../../layers/device-tape.js';
import { drawSeeds, type SampleSigns } from '../../layers/draw.js';
import type { FactorPair } from '../../layers/factor-pairs.js';
import type { GraphNetwork } from '../../layers/graph-network.js';
import { hasPadding } from '../../layers/losses.js';
import { divisorOf } from '../../layers/targets.js';
import { squaredScale } from '../../network/losses/table.js';
import { Recorder, type DeviceStep } from '../../tape/device/recorder.js';
import type { Node } from '../../tape/node.js';
import { numbersEach, numbersOf } from '../../tape/shape.js';
import type { DeviceBatch, Slice } from './device-batch.js';
import { recordMoment, type DeviceMoment } from './moment-steps.js';

/** Throws OptionError unless all that is trained are dense weights, and no token is padding. */
export function requireDense({ layers, trained, loss }: GraphNetwork, what: string): void {
  const other = layers.find(({ kind, offset }) => offset < trained && kind !== 'dense');
  if (other === undefined && !hasPadding(loss)) return;
  throw new OptionError(
    `${what} on a device takes networks of dense layers without padding: ${other?.name ?? 'tokens of padding'} has ` +
      'no factors there. Take gauss-newton-cg, or leave out the device.',
    { layer: other?.name },
  );
}

/** Factors of a batch. */
export class DeviceFactors {
  readonly #batch: DeviceBatch;
  readonly #signs: SampleSigns | undefined;
  /** Where what an average keeps, and its shares of inputs and errors, are put. */
  readonly #shares: number;

  constructor(batch: DeviceBatch, shares: number, signs: SampleSigns | undefined) {
    this.#batch = batch;
    this.#shares = shares;
    this.#signs = signs;
  }

  /** Each ← keep·itself + (1 − keep)·the moment of the first samples, errors drawn by the step. */
  async update(moments: readonly DeviceMoment[], keep: number, step: number, samples: number): Promise<void> {
    const batch = this.#batch;
    const weight = divisorOf(batch.weightOf(samples));
    const key = moments.map(({ at }) => at).join(' ');
    const draws = moments.some(({ of }) => of === 'errors');
    await batch.overPassed(samples, async (slice, tape) => {
      if (draws) await this.#draw(slice, tape, step);
      const share = (1 - keep) / samples;
      batch.write([slice.s === 0 ? keep : 1, share, (1 - keep) / weight], this.#shares);
      const launches = await batch.prepared(`moments ${key} ${batch.placeOf(slice)}`, () =>
        this.#steps(moments, tape, slice.count),
      );
      launches.run();
    });
  }

  #steps(moments: readonly DeviceMoment[], tape: DeviceTape, samples: number): DeviceStep[] {
    const { at } = this.#batch.layout;
    const recorder = new Recorder({ samples, at: (node) => tape.at(node), scratch: at.momentScratch });
    const keep = this.#shares;
    for (const moment of moments) {
      const pairs = this.#pairs(tape, moment.layer);
      const layer = this.#batch.network.layers[moment.layer];
      const share = keep + (moment.of === 'inputs' ? 1 : 2);
      recordMoment(recorder, moment, { layer, pairs }, { sum: at.moment, keep, share });
    }
    return recorder.steps;
  }

  #pairs(tape: DeviceTape, layer: number): readonly FactorPair[] {
    return tape.plan.draw!.pairs.filter((pair) => pair.layer === layer);
  }

  /** Errors at a slice's outputs, taken back. */
  async #draw(slice: Slice, tape: DeviceTape, step: number): Promise<void> {
    const batch = this.#batch;
    const { network, seed } = batch;
    const { loss } = network;
    const { plan } = tape;
    const { first, count } = slice;
    const { output } = plan;
    const known = typeof loss === 'string' && squaredScale(loss, numbersEach(output.shape)) !== null;
    const outputs = known
      ? floats(0, batch.precision)
      : await batch.read(numbersOf(output.shape, count), tape.at(output));
    const errors = new Map<Node, FloatArray>();
    const numbers = (node: Node): FloatArray => {
      if (node === output) return outputs;
      const own = floats(numbersOf(node.shape, count), batch.precision);
      errors.set(node, own);
      return own;
    };
    const { targets } = batch.samples();
    const own = { ...targets, offset: first * targets.ld, cols: count };
    drawSeeds({ loss, plan, tape: { count, numbers }, seed, first, signs: this.#signs }, own, step);
    for (const [node, values] of errors) batch.write(values, tape.at(node));
    const phase = plan.phases.get('draw')!;
    (await batch.prepared(`draw ${batch.placeOf(slice)}`, () => tape.prepare(phase, count))).run();
  }
}
