/**
 * What ranks that train together have to agree in, where a clock or somebody outside decides: when a run ends for its
 * time, and that it is aborted. Everything else follows from numbers that are the same on all of them, which is
 * looked after, too.
 */
import { throwIfAborted, type AbortSignalLike } from '../core/context.js';
import { AbortedError, CommunicationError } from '../core/errors.js';
import type { FloatArray } from '../core/floats.js';
import type { Communicator } from '../distributed/communicator.js';

/** Ranks of one run; without a communicator, or with one of size 1, nothing is communicated. */
export class Agreement {
  readonly #communicator: Communicator | undefined;
  readonly #signal: AbortSignalLike | undefined;
  readonly #numbers = new Float64Array(2);

  constructor(communicator: Communicator | undefined, signal: AbortSignalLike | undefined) {
    this.#communicator = communicator === undefined || communicator.size === 1 ? undefined : communicator;
    this.#signal = signal;
  }

  /** Whether this rank writes files: one does. */
  get writes(): boolean {
    return (this.#communicator?.rank ?? 0) === 0;
  }

  /** The signal of work that a single rank may leave; undefined where all have to leave it together. */
  get ownSignal(): AbortSignalLike | undefined {
    return this.#communicator === undefined ? this.#signal : undefined;
  }

  /**
   * Collective: the first rank's seconds. Throws AbortedError on all ranks where one of them was aborted. One message
   * of two numbers to and fro.
   */
  seconds(own: number): number {
    const communicator = this.#communicator;
    if (communicator === undefined) return own;
    this.#numbers[0] = Number(this.#signal?.aborted === true);
    this.#numbers[1] = communicator.rank === 0 ? own : 0;
    communicator.allreduce(this.#numbers, 'max');
    if (this.#numbers[0] > 0) {
      throwIfAborted(this.#signal);
      throw new AbortedError();
    }
    return this.#numbers[1];
  }

  /**
   * Collective: throws CommunicationError unless θ and the step are the same on all ranks. They part where ranks were
   * given different models, data, options or checkpoints, or where their BLAS rounds otherwise.
   */
  requireSame(θ: FloatArray, step: number): void {
    const communicator = this.#communicator;
    if (communicator === undefined) return;
    const own = checksum(θ, step);
    this.#numbers[0] = own;
    this.#numbers[1] = -own;
    communicator.allreduce(this.#numbers, 'max');
    const [most, least] = [this.#numbers[0], -this.#numbers[1]];
    if (most === least) return;
    throw new CommunicationError(
      `The parameters of rank ${communicator.rank} of ${communicator.size} at step ${step} are not those of all: ` +
        'give all ranks the same model, data, options and checkpoint, on processors of one kind or with one BLAS ' +
        "(HMATRIX_BLAS='portable' rounds alike everywhere).",
      { rank: communicator.rank, size: communicator.size, step },
    );
  }
}

/** A whole number of 32 bits that tells bits of numbers apart (FNV-1a, word by word). */
function checksum(θ: FloatArray, step: number): number {
  const words = new Uint32Array(θ.buffer, θ.byteOffset, θ.byteLength / 4);
  let hash = (0x811c9dc5 ^ step) >>> 0;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193) >>> 0;
  return hash;
}
