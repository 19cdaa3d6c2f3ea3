/**
 * What a last layer needs that is multiplied without its outputs (`reduced` in sample-state.ts): the Gram matrix of its
 * weights, and the second moment of its inputs, a sum over samples like any other.
 */
import { floats } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, type FloatArray } from '../../dense/matrix.js';
import { add } from '../../distributed/node-sums.js';
import type { SampleRanks } from '../../distributed/sample-ranks.js';
import { layerWeights } from '../../network/network.js';
import { stepsWithin, type Batch, type SampleCut } from './sample-cut.js';
import type { SampleState } from './sample-state.js';

/** Makes the Gram matrix at once, and the moment as the batches come, once. */
export class ReducedLayer {
  readonly #state: SampleState;
  readonly #cut: SampleCut;
  readonly #blas: Blas;
  /** By node and place. */
  readonly #sums: readonly FloatArray[][];
  #isDone = false;

  constructor(state: SampleState, cut: SampleCut, blas: Blas) {
    this.#state = state;
    this.#cut = cut;
    this.#blas = blas;
    this.#sums = cut.nodes.map(() => []);
    const { network, parameters, reduced } = state;
    if (reduced === null) return;
    const layer = network.layers[network.layers.length - 1];
    const w = block(layerWeights(layer, parameters), 0, 0, layer.inputs, layer.outputs);
    blas.gemm('N', 'T', 1, w, w, 0, view(reduced.gram, 0, layer.inputs, layer.inputs));
  }

  /** Whether the moment is there. */
  get isDone(): boolean {
    return this.#isDone || this.#state.reduced === null;
  }

  /** Adds the batch that is held. */
  add(batch: Batch): void {
    const { layers, network, precision } = this.#state;
    const { width } = network.layers[layers.length - 1];
    const { inputs } = layers[layers.length - 1];
    this.#cut.nodes.forEach((node, k) => {
      const placeOf = (place: number): FloatArray => (this.#sums[k][place] ??= floats(width ** 2, precision));
      for (const { at, count, place, begins, adds } of stepsWithin(node, batch)) {
        const a = view(inputs, at * width, width, count);
        this.#blas.gemm('N', 'T', 1, a, a, begins ? 0 : 1, view(placeOf(place), 0, width, width));
        for (const to of adds) add(placeOf(to), placeOf(to + 1));
      }
    });
  }

  /** After all batches: the sum over all ranks. Collective. */
  finish(samples: number, ranks: SampleRanks): void {
    const { reduced } = this.#state;
    const parts = this.#sums.map((places) => places[0]);
    if (ranks.many) ranks.sum(samples, parts, reduced!.moment);
    else reduced!.moment.set(parts[0]);
    this.#sums.forEach((places) => (places.length = 0));
    this.#isDone = true;
  }
}
