/**
 * Gram vectors m(u, u′) ∈ ℝⁿ of two units, read or made from what is stored, and the products they are sums of.
 */
import type { GramArrays } from './unit-gram-arrays.js';
import { pairIndex, type PairForm } from './unit-gram-plan.js';

/** One n-vector for each unit p of a layer: column first + step·p of an n × … array; `data` null for ones. */
export interface UnitVectors {
  readonly data: Float64Array | null;
  readonly first: number;
  readonly step: number;
}

/** A part κ(p, p′)·x_p ∘ y_p′ of the Gram vectors of two layers ℓ ≤ k, p in ℓ and p′ in k. */
export interface GramTerm {
  /** κ(p, p′) = data[p·lowerStep + p′·upperStep], or `constant` where there is no data. */
  readonly kappa: {
    readonly data: Float64Array | null;
    readonly constant: number;
    readonly lowerStep: number;
    readonly upperStep: number;
  };
  readonly lower: UnitVectors;
  readonly upper: UnitVectors;
}

/** A pair of layers as a sum of terms, plus δ_pp′·σ_p if `delta`; null where only tables tell. */
export interface GramTerms {
  readonly terms: readonly GramTerm[];
  readonly delta: boolean;
}

const columns = (data: Float64Array | null): UnitVectors => ({ data, first: 0, step: 1 });
const factor = (constant: number): GramTerm['kappa'] => ({ data: null, constant, lowerStep: 0, upperStep: 0 });

/** Reads Gram vectors of one pair of units at a time, with scratch for those that are not stored. */
export class GramVectors {
  readonly arrays: GramArrays;
  /** Where the vector asked for last lies. */
  data: Float64Array;
  offset = 0;
  /** The units selected: layers ℓ ≤ k. */
  #lower = 0;
  #upper = 0;
  #lowerUnit = 0;
  #upperUnit = 0;
  #scratch: Float64Array = new Float64Array(0);
  readonly #terms: (GramTerms | null)[] = [];

  constructor(arrays: GramArrays) {
    this.arrays = arrays;
    this.data = this.#scratch;
    const { length } = arrays.network.layers;
    for (let k = 0; k < length; k++) for (let ℓ = 0; ℓ <= k; ℓ++) this.#terms[pairIndex(ℓ, k)] = this.#termsOf(ℓ, k);
  }

  /** How the pair of layers is held. */
  form(ℓ: number, k: number): PairForm {
    return this.arrays.plan.pairs[pairIndex(ℓ, k)];
  }

  /** The products that Gram vectors of layers ℓ ≤ k are sums of; null where they are no such sum. */
  terms(ℓ: number, k: number): GramTerms | null {
    return this.#terms[pairIndex(ℓ, k)];
  }

  /** Elementwise products that a number of a Gram vector costs: about two for each term, which is scaled and added. */
  cost(ℓ: number, k: number): number {
    const terms = this.terms(ℓ, k);
    return terms === null ? 0 : 2 * (terms.terms.length + (terms.delta ? 1 : 0));
  }

  /** The units u = (ℓ, p) and u′ = (k, q), in either order, whose vectors `load` gives. */
  select(ℓ: number, p: number, k: number, q: number): void {
    const ordered = ℓ <= k;
    this.#lower = ordered ? ℓ : k;
    this.#upper = ordered ? k : ℓ;
    this.#lowerUnit = ordered ? p : q;
    this.#upperUnit = ordered ? q : p;
  }

  /** Samples at … at + size of m(u, u′): `data` from `offset`. False where it is zero for all samples. */
  load(at: number, size: number): boolean {
    const ℓ = this.#lower;
    const k = this.#upper;
    const p = this.#lowerUnit;
    const q = this.#upperUnit;
    const { network, count: n, arrays } = this.arrays;
    const terms = this.terms(ℓ, k);
    if (terms === null) {
      this.data = arrays[`T${ℓ},${k}`];
      const column =
        ℓ !== k ? q + network.layers[k].outputs * p : p <= q ? p + (q * (q + 1)) / 2 : q + (p * (p + 1)) / 2;
      this.offset = column * n + at;
      return true;
    }
    if (this.#scratch.length < size) this.#scratch = new Float64Array(size);
    const out = this.#scratch;
    this.data = out;
    this.offset = 0;
    let zero = true;
    for (const { kappa, lower, upper } of terms.terms) {
      const κ = kappa.data === null ? kappa.constant : kappa.data[p * kappa.lowerStep + q * kappa.upperStep];
      addProduct(
        out,
        κ,
        lower.data,
        (lower.first + lower.step * p) * n + at,
        upper.data,
        (upper.first + upper.step * q) * n + at,
        size,
        zero,
      );
      zero = false;
    }
    if (terms.delta && p === q) {
      const { sigma } = this.arrays;
      if (typeof sigma === 'number') addProduct(out, sigma, null, 0, null, 0, size, zero);
      else addProduct(out, 1, sigma, p * n + at, null, 0, size, zero);
      zero = false;
    }
    return !zero;
  }

  #termsOf(ℓ: number, k: number): GramTerms | null {
    const { network, slopes, sigma, nu, projected, lastWeights, lastGram, arrays } = this.arrays;
    const last = network.layers.length - 1;
    const form = this.form(ℓ, k);
    if (form.kind === 'table') return null;
    if (form.kind === 'factored') return this.#factors(ℓ, k, form.through, arrays);
    if (ℓ === last)
      return { terms: nu === null ? [] : [{ kappa: factor(-1), lower: columns(nu), upper: columns(nu) }], delta: true };
    const slope = columns(slopes[last - 1]);
    const d = network.layers[last - 1].outputs;
    if (k < last)
      return {
        terms: [{ kappa: { data: lastGram, constant: 1, lowerStep: 1, upperStep: d }, lower: slope, upper: slope }],
        delta: false,
      };
    const { width } = network.layers[last];
    // W_L(p′, p)·φ′_p·σ_p′, less φ′_p(W_Lᵀν)_p·ν_p′.
    const weights = typeof sigma === 'number' && sigma !== 1 ? lastWeights.map((w) => w * sigma) : lastWeights;
    const terms: GramTerm[] = [
      {
        kappa: { data: weights, constant: 1, lowerStep: 1, upperStep: width },
        lower: slope,
        upper: columns(typeof sigma === 'number' ? null : sigma),
      },
    ];
    if (nu !== null) terms.push({ kappa: factor(-1), lower: columns(projected), upper: columns(nu) });
    return { terms, delta: false };
  }

  /** T_{k,ℓ}(p′, p) = Σ_j T_{b,k}(j, p′)·E_{ℓ→b}(j, p). */
  #factors(ℓ: number, k: number, b: number, arrays: GramArrays['arrays']): GramTerms {
    const { layers } = this.arrays.network;
    const d = layers[b].outputs;
    const left = arrays[`E${ℓ},${b}`];
    const right = arrays[k < b ? `T${k},${b}` : `T${b},${k}`];
    const terms = Array.from({ length: d }, (_, j): GramTerm => ({
      kappa: factor(1),
      lower: { data: left, first: j, step: d },
      upper: k < b ? { data: right, first: j, step: d } : { data: right, first: layers[k].outputs * j, step: 1 },
    }));
    return { terms, delta: false };
  }
}

/** out ← κ·x∘y (overwrite) or out + κ·x∘y, x and y ones where null. One loop a case, so that each stays tight. */
// eslint-disable-next-line max-params -- one loop over raw arrays, called for single samples too
function addProduct(
  out: Float64Array,
  κ: number,
  x: Float64Array | null,
  xAt: number,
  y: Float64Array | null,
  yAt: number,
  size: number,
  overwrite: boolean,
): void {
  if (overwrite) out.fill(0, 0, size);
  if (x !== null && y !== null) for (let i = 0; i < size; i++) out[i] += κ * x[xAt + i] * y[yAt + i];
  else if (x !== null) for (let i = 0; i < size; i++) out[i] += κ * x[xAt + i];
  else if (y !== null) for (let i = 0; i < size; i++) out[i] += κ * y[yAt + i];
  else for (let i = 0; i < size; i++) out[i] += κ;
}
