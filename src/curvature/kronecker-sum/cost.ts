/**
 * What a Kronecker sum costs before it is made: memory and flops of its modes.
 */
import { lossOf } from '../../network/losses/table.js';
import type { Model } from '../../network/model.js';
import { rotatedModelBytes } from '../eigenbasis/model.js';
import { isUniform } from '../entries/unit-gram-plan.js';

/** The largest matrix that is decomposed for the modes of a pair of layers where nobody asks for a Kronecker sum. */
const USUAL_ORDER = 4096;

/** Numbers of the m_i of a pair of layers. */
function unitPairs({ network, loss }: Model, lower: number, upper: number): number {
  const last = network.layers.length - 1;
  const of = (ℓ: number): number =>
    ℓ === last && isUniform(network, loss)
      ? Math.min(network.layers[ℓ].outputs, network.layers[ℓ].inputs)
      : network.layers[ℓ].outputs;
  if (lower === upper && lower === last && !lossOf(loss).softmax) return of(last);
  return lower === upper ? (of(lower) * (of(lower) + 1)) / 2 : of(lower) * of(upper);
}

/** Calls `visit` with every pair of layers, the numbers of its m_i and the numbers of its S_j. */
function eachPair(model: Model, visit: (numbers: number, block: number) => void): void {
  const { layers } = model.network;
  for (let upper = 0; upper < layers.length; upper++)
    for (let lower = 0; lower <= upper; lower++)
      visit(unitPairs(model, lower, upper), layers[lower].width * layers[upper].width);
}

/** Bytes of a rotated model and of finding modes, at most. */
export function sumMemory(model: Model, workers: number): number {
  const n = model.data.samples;
  let most = 0;
  let modes = 0;
  eachPair(model, (numbers) => {
    const count = Math.min(n, numbers);
    const tall = numbers > n ? numbers * n + n ** 2 : 0;
    most = Math.max(most, tall + 1536 * n + 3 * count ** 2);
    modes += count;
  });
  return rotatedModelBytes(model) + 8 * (workers * most + n * modes);
}

/** Whether a Kronecker sum is made of the model unasked: in memory, and where no pair has too many modes to find. */
export function suitsKroneckerSum(model: Model, memoryLimit: number, workers: number): boolean {
  let order = 0;
  eachPair(model, (numbers) => {
    order = Math.max(order, Math.min(model.data.samples, numbers));
  });
  return order <= USUAL_ORDER && sumMemory(model, workers) <= memoryLimit;
}

/** Flops of finding the modes and the energies of all of their blocks, about. */
export function sumFlops(model: Model): number {
  const n = model.data.samples;
  let flops = 0;
  eachPair(model, (numbers, block) => {
    const modes = Math.min(n, numbers);
    flops += modes * (2 * n * block + 2 * n ** 2 + 2 * n * modes + (numbers > n ? 4 * n * numbers : 0));
  });
  return flops;
}
