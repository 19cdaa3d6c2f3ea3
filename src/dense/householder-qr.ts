/**
 * QR of a panel by Householder reflections, with Q itself in the panel's place: A = Q·R, whatever A's rank.
 */
import { floats, precisionOf, type FloatArray } from '../core/floats.js';
import type { Blas } from './blas.js';
import { copyInto, view, type Matrix } from './matrix.js';

/** Scratch of QRs one after the other, as large as the largest so far. */
export class HouseholderQr {
  readonly #blas: Blas;
  #tau: FloatArray | undefined;
  #panel: FloatArray | undefined;

  constructor(blas: Blas) {
    this.#blas = blas;
  }

  /** `a` (n × k, n ≥ k) ← Q, `r` (k × k) ← R with zeros below its diagonal. Cost 4nk² flops. */
  run(a: Matrix, r: Matrix): void {
    const { rows: n, cols: k } = a;
    if (k === 0) return;
    const tau = (this.#tau = reserve(this.#tau, k, a)).subarray(0, k);
    this.#blas.geqrf(a, tau);
    for (let j = 0; j < k; j++) {
      const to = r.offset + j * r.ld;
      for (let i = 0; i < k; i++) r.data[to + i] = i <= j ? a.data[a.offset + i + j * a.ld] : 0;
    }
    const q = view((this.#panel = reserve(this.#panel, n * k, a)), 0, n, k);
    q.data.fill(0, 0, n * k);
    for (let j = 0; j < k; j++) q.data[j * (n + 1)] = 1;
    this.#blas.ormqr('L', 'N', a, tau, q);
    copyInto(a, q);
  }
}

/** At least so many numbers of a's precision. */
const reserve = (held: FloatArray | undefined, length: number, { data }: Matrix): FloatArray =>
  held !== undefined && held.length >= length && held.BYTES_PER_ELEMENT === data.BYTES_PER_ELEMENT
    ? held
    : floats(length, precisionOf(data));
