/** The arrays that callers hand to the kernels of one precision: checked to lie in their memory, then addresses. */
import type { Precision } from '../../core/floats.js';
import { ShapeError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import type { FloatArray } from '../matrix.js';

/** The exports of one precision, of those that the module has with suffixes 64 and 32. */
export function routinesOf<R>(exports: object, names: readonly (keyof R & string)[], precision: Precision): R {
  const suffix = precision === 'f64' ? '64' : '32';
  const named = exports as Readonly<Record<string, unknown>>;
  return Object.fromEntries(names.map((name) => [name, named[name + suffix]])) as unknown as R;
}

/** Typed arrays of one precision, and of indices, over the memory that has the buffer. */
export class KernelArrays {
  readonly #buffer: SharedArrayBuffer;
  readonly #precision: Precision;
  readonly #array: Float64ArrayConstructor | Float32ArrayConstructor;

  constructor(buffer: SharedArrayBuffer, precision: Precision) {
    this.#buffer = buffer;
    this.#precision = precision;
    this.#array = precision === 'f64' ? Float64Array : Float32Array;
  }

  /** The address of an array that must hold n numbers. Throws ShapeError. */
  at(x: FloatArray, n: number, name: string): number {
    if (!(x instanceof this.#array) || (x.buffer as unknown) !== this.#buffer || !(n >= 0 && x.length >= n))
      this.#refuse(x, n, name, this.#array.name);
    return x.byteOffset;
  }

  /** The address of an array that must hold n numbers, 0 where there is none. Throws ShapeError. */
  atIfAny(x: FloatArray | null, n: number, name: string): number {
    return x === null ? 0 : this.at(x, n, name);
  }

  /** The address of an Int32Array that must hold n indices. Throws ShapeError. */
  atIndices(indices: Int32Array, n: number, name = 'indices'): number {
    if (!(indices instanceof Int32Array) || (indices.buffer as unknown) !== this.#buffer || !(indices.length >= n))
      this.#refuse(indices, n, name, 'Int32Array');
    return indices.byteOffset;
  }

  #refuse(x: FloatArray | Int32Array, n: number, name: string, wanted: string): never {
    if (!(n >= 0)) throw new ShapeError(`${name}: ${n} is no number of numbers.`, { name, n });
    const ours = x?.constructor.name === wanted;
    const over = ours && (x.buffer as unknown) !== this.#buffer ? ' over another memory (see at())' : '';
    throw new ShapeError(
      `${name} must be a ${wanted} of at least ${n} numbers over the memory of the kernels, not ` +
        `${describe(x)}${over}.`,
      { name, n, precision: this.#precision },
    );
  }
}
