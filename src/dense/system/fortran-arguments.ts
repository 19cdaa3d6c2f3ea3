/**
 * Scalars for Fortran, which takes every argument by address: a small fixed block of memory.
 * Integers are 32 bits wide in slots of 64 bits whose upper halves stay 0, so that a library built for 64-bit integers
 * reads the right value too, and can be told by what it writes.
 */
import { arrayAddress } from '../../native/koffi.js';

const INTEGERS = 16;
const REALS_AT = 8 * INTEGERS;
const LETTERS_AT = REALS_AT + 4 * 8;
const LETTERS = 'NTLRUVSA';

/** One block of memory with slots for integers, two reals and the letters that LAPACK's options are. */
export class FortranArguments {
  readonly #base: number;
  readonly #integers: Int32Array;
  readonly #doubles: Float64Array;
  readonly #singles: Float32Array;
  readonly #letters: readonly number[];

  constructor() {
    const buffer = new ArrayBuffer(LETTERS_AT + 8);
    this.#base = arrayAddress(new Uint8Array(buffer));
    this.#integers = new Int32Array(buffer, 0, 2 * INTEGERS);
    this.#doubles = new Float64Array(buffer, REALS_AT, 2);
    this.#singles = new Float32Array(buffer, REALS_AT + 16, 4);
    const bytes = new Uint8Array(buffer, LETTERS_AT, LETTERS.length);
    const letters = new Array<number>(128).fill(0);
    for (let i = 0; i < LETTERS.length; i++) {
      bytes[i] = LETTERS.charCodeAt(i);
      letters[LETTERS.charCodeAt(i)] = this.#base + LETTERS_AT + i;
    }
    this.#letters = letters;
  }

  /** Address of integer slot `slot`, which now holds `value`. */
  integer(slot: number, value: number): number {
    this.#integers[2 * slot] = value;
    return this.#base + 8 * slot;
  }

  /** What a routine left in integer slot `slot`. */
  integerAt(slot: number): number {
    return this.#integers[2 * slot];
  }

  /** The upper half of integer slot `slot`: changed only by a routine with 64-bit integers. */
  upperHalf(slot: number): number {
    return this.#integers[2 * slot + 1];
  }

  /** Writes the upper half of integer slot `slot`. */
  setUpperHalf(slot: number, value: number): void {
    this.#integers[2 * slot + 1] = value;
  }

  /** Address of real slot 0 or 1 in the precision asked for, which now holds `value`. */
  real(slot: number, value: number, double: boolean): number {
    if (double) {
      this.#doubles[slot] = value;
      return this.#base + REALS_AT + 8 * slot;
    }
    this.#singles[2 * slot] = value;
    return this.#base + REALS_AT + 16 + 8 * slot;
  }

  /** Address of one of the letters N T L R U V S A. */
  letter(letter: string): number {
    return this.#letters[letter.charCodeAt(0)];
  }
}
