/**
 * Addresses of typed arrays.
 * The memory of an ArrayBuffer or SharedArrayBuffer never moves, so its address is asked for once per array over it.
 * Three operand slots remember the arrays of the latest call: they make repeated operands free, and they keep those
 * arrays reachable while native code works on them, whatever the optimizer thinks of the caller's variables. (They hold
 * these arrays until the next call replaces them.) A detached buffer has arrays of length 0, which the bounds checks
 * refuse before an address is asked for.
 */
import type { FloatArray } from '../matrix.js';
import { arrayAddress } from '../../native/koffi.js';

/** Finds the addresses of typed arrays and keeps those of the latest call reachable. */
export class ArrayAddresses {
  readonly #known = new WeakMap<FloatArray, number>();
  #first: FloatArray | undefined;
  #firstAddress = 0;
  #second: FloatArray | undefined;
  #secondAddress = 0;
  #third: FloatArray | undefined;
  #thirdAddress = 0;

  /** Address of data[0], for the first operand of a call; likewise `second` and `third`. */
  first(data: FloatArray): number {
    if (data !== this.#first) {
      this.#firstAddress = this.#look(data);
      this.#first = data;
    }
    return this.#firstAddress;
  }

  second(data: FloatArray): number {
    if (data !== this.#second) {
      this.#secondAddress = this.#look(data);
      this.#second = data;
    }
    return this.#secondAddress;
  }

  third(data: FloatArray): number {
    if (data !== this.#third) {
      this.#thirdAddress = this.#look(data);
      this.#third = data;
    }
    return this.#thirdAddress;
  }

  #look(data: FloatArray): number {
    let address = this.#known.get(data);
    if (address === undefined) {
      address = arrayAddress(data);
      this.#known.set(data, address);
    }
    return address;
  }
}
