/**
 * The batches of a run with their images moved, in memory that the next one reuses.
 */
import { precisionOf } from '../../core/floats.js';
import { block, zeros, type Matrix } from '../../dense/matrix.js';
import type { Picks } from '../../network/sample-order.js';
import { copySamples } from '../objective/copy-samples.js';
import type { ImageAugmentation } from './image-augmentation.js';

/** Moves the images of one batch after the other. */
export class AugmentedBatches {
  readonly #augmentation: ImageAugmentation;
  readonly #own: Int32Array;
  readonly #numbers: Int32Array;
  #room: { readonly images: Matrix; readonly moved: Matrix; readonly targets: Matrix } | undefined;

  /** Batches have `batchSize` samples or fewer. */
  constructor(augmentation: ImageAugmentation, batchSize: number) {
    this.#augmentation = augmentation;
    this.#own = Int32Array.from({ length: batchSize }, (_, i) => i);
    this.#numbers = new Int32Array(batchSize);
  }

  /** The batch of an epoch, moved; valid until the next one is asked for. Throws ShapeError. */
  of({ inputs, targets, order, first, count, start }: Picks, epoch: number): Picks {
    const most = this.#own.length;
    const room = (this.#room ??= {
      images: zeros(inputs.rows, most, precisionOf(inputs.data)),
      moved: zeros(inputs.rows, most, precisionOf(inputs.data)),
      targets: zeros(targets.rows, most, precisionOf(targets.data)),
    });
    copySamples(inputs, count, { order, first }, room.images.data, inputs.rows);
    copySamples(targets, count, { order, first }, room.targets.data, targets.rows);
    for (let i = 0; i < count; i++) this.#numbers[i] = start + order[first + i];
    const [images, moved] = [room.images, room.moved].map((matrix) => block(matrix, 0, 0, matrix.rows, count));
    this.#augmentation.apply(images, this.#numbers.subarray(0, count), epoch, moved);
    return { inputs: room.moved, targets: room.targets, order: this.#own, first: 0, count, start };
  }
}
