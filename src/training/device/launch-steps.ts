/**
 * What training on a device launches besides passes and updates: copies, sums of losses, statistics, squares.
 */
import type { FloatArray } from '../../core/floats.js';
import type { DeviceTape } from '../../layers/device-tape.js';
import type { GraphNetwork } from '../../layers/graph-network.js';
import { combineKernel, GATHER } from '../../tape/device/maps.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import { numbersOf, rowsOf } from '../../tape/shape.js';
import { decays } from '../graph/workspace.js';
import { FINISH_GRADIENT, SQUARE_PARTS, WEIGHT_DOTS } from './update-kernels.js';

/** Sums of so many numbers each, in double precision. */
export const sumsOfParts = (numbers: FloatArray, parts: number): number[] =>
  Array.from({ length: numbers.length / parts }, (_, k) => {
    let sum = 0;
    for (const value of numbers.subarray(k * parts, (k + 1) * parts)) sum += value;
    return sum;
  });

/** Numbers at `to` ← keep·themselves + those at `from`. */
export const copyStep = (to: number, from: number, count: number, keep = 0): DeviceStep => ({
  kernel: combineKernel(1),
  count,
  integers: [to, keep, from],
  reals: [1],
});

/** The sum of a tape's losses of so many samples, to a place. */
export function lossStep(tape: DeviceTape, samples: number, to: number): DeviceStep {
  const { loss } = tape.plan;
  const integers = [to, 0, numbersOf(loss.shape, samples), tape.at(loss), 1, 0, 1];
  return { kernel: GATHER, count: 1, integers, reals: [1] };
}

/** A tape's statistics, to a place: of each norm means, then reciprocal deviations. */
export function statisticSteps(tape: DeviceTape, begin: number): DeviceStep[] {
  let to = begin;
  return tape.plan.updates.flatMap(({ mean, reciprocalDeviation }) =>
    [mean, reciprocalDeviation].map((node) => {
      const count = rowsOf(node.shape);
      to += count;
      return copyStep(to - count, tape.at(node), count);
    }),
  );
}

/** A vector at `to` ← h[s]·itself + λ times the weights of that at `from`, in all layers that are trained. */
export function finishingSteps(
  { layers, trained }: GraphNetwork,
  { to, from, s, lambda }: { readonly to: number; readonly from: number; readonly s: number; readonly lambda: number },
): DeviceStep[] {
  if (lambda === 0) return [{ kernel: FINISH_GRADIENT, count: trained, integers: [to, from, s, 1, 0], reals: [0] }];
  return layers
    .filter(({ offset }) => offset < trained)
    .map(({ kind, offset, width, inputs, outputs }) => {
      const integers = [to + offset, from + offset, s, width, decays(kind) ? inputs : 0];
      return { kernel: FINISH_GRADIENT, count: width * outputs, integers, reals: [lambda] };
    });
}

/** Parts of Σ x∘z of two vectors in the layers that count, of weights or, with biases, of all. */
export function weightDotSteps(
  layers: GraphNetwork['layers'],
  { to, x, z, biases }: { readonly to: number; readonly x: number; readonly z: number; readonly biases: boolean },
  counts: (layer: GraphNetwork['layers'][number]) => boolean,
): DeviceStep[] {
  return layers.flatMap((layer, ℓ): DeviceStep[] => {
    const { offset, width, inputs, outputs } = layer;
    if (!counts(layer)) return [];
    const n = width * outputs;
    const chunk = Math.ceil(n / SQUARE_PARTS);
    const integers = [to + SQUARE_PARTS * ℓ, chunk, x + offset, z + offset, n, width, biases ? width : inputs];
    return [{ kernel: WEIGHT_DOTS, count: SQUARE_PARTS, integers, reals: [] }];
  });
}
