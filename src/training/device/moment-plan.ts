/**
 * Which launches make the moments that are asked for, of a slice and behind the last one, and where their sums stand.
 */
import { haveColumns, type FactorPair } from '../../layers/factor-pairs.js';
import type { GraphNetwork } from '../../layers/graph-network.js';
import { hasPadding } from '../../layers/losses.js';
import type { DrawPlan } from '../../layers/network-plan.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import { FILL } from '../../tape/device/maps.js';
import { Recorder } from '../../tape/device/recorder.js';
import { recordedMemory, type StepMemory } from '../../tape/device/tape.js';
import { countReached } from './moment-inputs.js';
import {
  recordDiagonal,
  recordGradient,
  recordMoment,
  recordSquares,
  sizeOf,
  type DeviceMoment,
  type MomentShape,
  type PairedLayer,
} from './moment-steps.js';

/** What an average keeps with this slice; shares of inputs and of errors; what it keeps at all, and what it takes. */
export const SHARE_NUMBERS = 5;
const SLICE_KEEP = 0;
const INPUT_SHARE = 1;
const ERROR_SHARE = 2;
const KEEP = 3;
const TAKEN = 4;
/** Of a layer: columns that errors reach, and their share. */
const REACHED_NUMBERS = 2;

/** Where numbers of moments stand on a device. */
export interface MomentRegions {
  /** The gradient. */
  readonly sum: number;
  /** The sum of the moment that is at work. */
  readonly moment: number;
  /** Sums of squares of all slices. */
  readonly squares: number;
  readonly reached: number;
  readonly shares: number;
}

/** Moments of a network's layers. */
export class MomentPlan {
  /** Numbers of the largest sum, of those of squares, and of what is counted. */
  readonly momentNumbers: number;
  readonly squareNumbers: number;
  readonly reachedNumbers: number;
  readonly #network: GraphNetwork;
  readonly #draw: DrawPlan | null;
  readonly #moments: readonly DeviceMoment[];
  readonly #regions: MomentRegions;
  readonly #layers: readonly PairedLayer[];
  /** Where each moment of a layer without factors has its sums. */
  readonly #squares: ReadonlyMap<DeviceMoment, number>;

  constructor(network: GraphNetwork, draw: DrawPlan | null, moments: readonly DeviceMoment[], regions: MomentRegions) {
    this.#network = network;
    this.#draw = draw;
    this.#moments = moments;
    this.#regions = regions;
    const pads = hasPadding(network.loss);
    this.#layers = network.layers.map((layer, ℓ) => {
      const pairs = draw?.pairs.filter((pair: FactorPair) => pair.layer === ℓ) ?? [];
      return { layer, pairs, leavesOut: pads && pairs.length > 0 && haveColumns(pairs) };
    });
    let [largest, sums] = [0, 0];
    const squares = new Map<DeviceMoment, number>();
    for (const moment of moments) {
      const size = sizeOf(moment, this.#layer(moment));
      if (this.#isPaired(moment) || ofGradient(moment))
        largest = Math.max(largest, moment.diagonal ? size : size * size);
      else {
        squares.set(moment, regions.squares + sums);
        sums += size + 1;
      }
    }
    this.#squares = squares;
    this.momentNumbers = largest;
    this.squareNumbers = sums;
    this.reachedNumbers = pads ? REACHED_NUMBERS * network.layers.length : 0;
  }

  /** Whether columns are counted before moments are made. */
  get counts(): boolean {
    return this.#counted().length > 0;
  }

  /** Whether slices are visited: all moments are of the gradient where they are not. */
  get visits(): boolean {
    return !this.#moments.every(ofGradient);
  }

  /** Whether errors are drawn. */
  get draws(): boolean {
    return this.counts || this.#squares.size > 0 || this.#moments.some(({ of }) => of === 'errors' || of === 'squares');
  }

  /** What an average keeps and takes while a slice is at work. */
  shares(
    keep: number,
    { samples, weight, isFirst }: Readonly<Record<'samples' | 'weight', number>> & { readonly isFirst: boolean },
  ): number[] {
    return [isFirst ? keep : 1, (1 - keep) / samples, (1 - keep) / weight, keep, 1 - keep];
  }

  /** Sums ← 0. */
  recordBegin(recorder: Recorder): void {
    const { squares, reached } = this.#regions;
    recorder.run(FILL, this.squareNumbers, [squares, 0], [0]);
    recorder.run(FILL, this.reachedNumbers, [reached, 0], [0]);
  }

  /** Counts a slice's columns that errors reach. */
  recordCounts(recorder: Recorder): void {
    for (const ℓ of this.#counted()) {
      const { reached, shares } = this.#regions;
      countReached(recorder, this.#layers[ℓ].pairs, reached + REACHED_NUMBERS * ℓ, shares + TAKEN);
    }
  }

  /** Adds a slice to the moments of layers with factors, and to the sums of others. */
  recordSlice(recorder: Recorder): void {
    const { moment: sum, reached, shares } = this.#regions;
    for (const moment of this.#moments.filter((one) => !ofGradient(one))) {
      const own = this.#layers[moment.layer];
      if (this.#isPaired(moment)) {
        const isReached = moment.of === 'inputs' && own.leavesOut;
        const share = isReached
          ? reached + REACHED_NUMBERS * moment.layer + 1
          : shares + (moment.of === 'errors' ? ERROR_SHARE : INPUT_SHARE);
        recordMoment(recorder, moment, own, { sum, keep: shares + SLICE_KEEP, share });
        continue;
      }
      const other = this.#draw?.others.find(({ layer }) => layer === moment.layer);
      const places = { sum: this.#squares.get(moment)! };
      if (other !== undefined)
        recordSquares(recorder, moment, own.layer, { ...places, g: recorder.at(other.gradient) });
    }
  }

  /** Takes the sums of layers without factors, and moments of the gradient. */
  recordEnd(recorder: Recorder): void {
    const { sum: gradient, moment: made, shares } = this.#regions;
    for (const moment of this.#moments.filter(ofGradient)) {
      const layer = this.#layer(moment);
      const places = { sum: made, keep: shares + KEEP, share: shares + TAKEN, g: gradient + layer.offset };
      recordGradient(recorder, moment, layer, places);
    }
    for (const [moment, sum] of this.#squares) {
      const share = shares + (moment.of === 'inputs' ? ERROR_SHARE : TAKEN);
      recordDiagonal(recorder, moment, this.#layer(moment), { sum, keep: shares + KEEP, share });
    }
  }

  /** Layers whose columns are counted. */
  #counted(): number[] {
    const layers = this.#moments.flatMap(({ of, layer }) =>
      of === 'inputs' && this.#layers[layer].leavesOut ? [layer] : [],
    );
    return [...new Set(layers)];
  }

  #isPaired({ of, layer }: MomentShape): boolean {
    return !ofGradient({ of }) && this.#layers[layer].pairs.length > 0;
  }

  #layer({ layer }: MomentShape): LayerBlock {
    return this.#network.layers[layer];
  }
}

const ofGradient = ({ of }: Pick<MomentShape, 'of'>): boolean => of === 'gradientRows' || of === 'gradientColumns';

/** What moments take of a device, slices of so many samples. */
export function momentMemory(
  network: GraphNetwork,
  draw: DrawPlan | null,
  shapes: readonly MomentShape[],
  samples: number,
): StepMemory & Pick<MomentPlan, 'momentNumbers' | 'squareNumbers' | 'reachedNumbers'> {
  const moments = shapes.map((shape): DeviceMoment => ({ ...shape, at: 0 }));
  const plan = new MomentPlan(network, draw, moments, { sum: 0, moment: 0, squares: 0, reached: 0, shares: 0 });
  const recorder = new Recorder({ samples, at: () => 0, scratch: 0 });
  plan.recordBegin(recorder);
  plan.recordCounts(recorder);
  plan.recordSlice(recorder);
  plan.recordEnd(recorder);
  const { momentNumbers, squareNumbers, reachedNumbers } = plan;
  return { momentNumbers, squareNumbers, reachedNumbers, ...recordedMemory(recorder) };
}
