/**
 * Numbers of a buffer. Until something needs them there they are kept here, so that what is written in many parts is
 * sent once; then they are a tensor, and what changes them makes another.
 */
import type { Tf, TfTensor } from './api.js';
import { around } from './program.js';

/** The numbers of a buffer, in float32. */
export class TfNumbers {
  readonly length: number;
  #here: Float32Array | undefined;
  #tensor: TfTensor | undefined;

  /** Zeros. */
  constructor(length: number) {
    this.length = length;
    this.#here = new Float32Array(length);
  }

  /** The tensor that they are now. */
  tensor(tf: Tf): TfTensor {
    if (this.#here !== undefined) {
      // A backend may keep the array itself: it is written to no more.
      this.#tensor = tf.keep(tf.tensor(this.#here, [this.length], 'float32'));
      this.#here = undefined;
    }
    return this.#tensor!;
  }

  /** They become another tensor. */
  replace(tf: Tf, tensor: TfTensor): void {
    this.dispose();
    this.#tensor = tf.keep(tensor);
  }

  /** numbers[at …] ← values. */
  write(tf: Tf, values: Float32Array, at: number): void {
    if (this.#here !== undefined) this.#here.set(values, at);
    else if (values.length > 0) {
      const written = tf.tidy(() => {
        const part = tf.tensor(values.slice(), [values.length], 'float32');
        return around(tf, this.#tensor!, [at, at + values.length], part);
      });
      this.replace(tf, written);
    }
  }

  /** Numbers at … at + count as they are now, to be read. */
  part(tf: Tf, at: number, count: number): { data(): Promise<ArrayLike<number>>; dispose(): void } {
    const here = this.#here?.slice(at, at + count);
    if (here !== undefined) return { data: () => Promise.resolve(here), dispose: () => undefined };
    return tf.keep(tf.slice(this.#tensor!, [at], [count]));
  }

  dispose(): void {
    this.#here = undefined;
    this.#tensor?.dispose();
    this.#tensor = undefined;
  }
}
