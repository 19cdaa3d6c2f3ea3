/**
 * Functions of a squared distance that most kernels are, vectorised: one pass from distance to value. Independent of
 * the choice of BLAS.
 */
import { openWasm } from './portable/wasm.js';

/**
 * φ(s) for a squared distance s and a factor f: `gaussian` exp(f·s), `exponential` exp(f·√s), and with t = −f·√s
 * `matern32` (1 + t)·exp(−t), `matern52` (1 + t + t²/3)·exp(−t); `inverseMultiquadric` 1/√(1 + f·s). The factor of the
 * last is positive, the others' are negative.
 */
export type RadialForm = 'gaussian' | 'exponential' | 'matern32' | 'matern52' | 'inverseMultiquadric';

/** A function of a squared distance. */
export interface RadialFunction {
  readonly form: RadialForm;
  readonly factor: number;
}

/** The forms as the kernels number them (assembly/radial.ts). */
const NUMBERS: Readonly<Record<RadialForm, number>> = {
  gaussian: 0,
  exponential: 1,
  matern32: 2,
  matern52: 3,
  inverseMultiquadric: 4,
};

/** Numbers that go through the arena at a time: 32 KiB, which stay in the first-level cache. */
const CHUNK = 4096;

/** φ of the `count` numbers at an address of the arena, in place, and of those up to the next multiple of 8. */
export function radialAt({ form, factor }: RadialFunction, count: number, address: number): void {
  openWasm().exports.radialValues(NUMBERS[form], count, address, factor);
}

/**
 * x[i] ← φ(x[i]) for i in [offset, offset + length), x ≥ 0. Relative error at most 4 eps beside what rounding f·s or
 * f·√s does; 0 where the exponential is, never NaN. The same number gives the same bits wherever it stands. Not
 * checked. Cost about 2 ns an element at 2.4 GHz. Method: `assembly/radial.ts`.
 */
export function radialInPlace(radial: RadialFunction, x: Float64Array, offset: number, length: number): void {
  const wasm = openWasm();
  wasm.begin(8 * CHUNK + 128);
  const at = wasm.take(8 * CHUNK);
  const heap = wasm.heap64;
  const first = at / 8;
  for (let done = 0; done < length; done += CHUNK) {
    const count = Math.min(CHUNK, length - done);
    heap.set(x.subarray(offset + done, offset + done + count), first);
    radialAt(radial, count, at);
    x.set(heap.subarray(first, first + count), offset + done);
  }
}
