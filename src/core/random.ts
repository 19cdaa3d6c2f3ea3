/**
 * Seeded random streams.
 * One stream per (seed, purpose, node): results never depend on which worker draws.
 * Generator: xoshiro128** 1.1 (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS
 * 47(4), 2021), its state filled from the seed by the 32-bit finalizer of MurmurHash3 (A. Appleby).
 */
import { OptionError } from './errors.js';
import { describe } from './kind.js';

const mix = (h: number): number => {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** What a stream of `seed` begins with: 32 bits, of which `hashKey` makes those of a key. */
export const hashSeed = (seed: number): number => mix((seed >>> 0) ^ mix(Math.floor(seed / 4294967296) >>> 0));

/**
 * 32 bits that depend on `hash` and a whole number: uniform draws by number, where a stream for each would be many
 * objects. Nothing is allocated.
 */
export const hashKey = (hash: number, key: number): number => mix(hash ^ mix((key >>> 0) + 0x9e3779b9));

function requireKey(value: number, name: string): void {
  if (!Number.isSafeInteger(value))
    throw new OptionError(`${name} of RandomStream must be a whole number, not ${describe(value)}.`, { value });
}

/** A stream of pseudorandom numbers; the same seed and keys give the same numbers on every machine and worker. */
export class RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #spare = Number.NaN;

  /**
   * The stream of `seed` for one purpose: equal (seed, keys…) give equal streams, different ones independent streams.
   * Throws OptionError for what is no whole number.
   */
  constructor(seed: number, ...keys: number[]) {
    requireKey(seed, 'The seed');
    for (const key of keys) requireKey(key, 'A key');
    let h = hashSeed(seed);
    for (const key of keys) h = hashKey(h, key);
    this.#a = mix(h + 0x9e3779b9);
    this.#b = mix(h + 0x3c6ef372);
    this.#c = mix(h + 0xdaa66d2b);
    this.#d = mix(h + 0x78dde6e4) | 1;
  }

  /** Uniform integer in [0, 2³²). */
  uint32(): number {
    const b = this.#b;
    const r = Math.imul(b, 5);
    const result = Math.imul((r << 7) | (r >>> 25), 9) >>> 0;
    const t = b << 9;
    this.#c ^= this.#a;
    this.#d ^= b;
    this.#b = b ^ this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** Uniform integer in [0, bound), bound ≤ 2³²; without modulo bias beyond 2⁻²¹. */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** Standard normal (polar method of Marsaglia). */
  normal(): number {
    if (!Number.isNaN(this.#spare)) {
      const z = this.#spare;
      this.#spare = Number.NaN;
      return z;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const f = Math.sqrt((-2 * Math.log(s)) / s);
        this.#spare = v * f;
        return u * f;
      }
    }
  }

  /** out ← independent standard normal numbers, rounded to its precision. */
  fillNormal(out: Float64Array | Float32Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.normal();
  }

  /** In-place Fisher–Yates shuffle. */
  shuffle(values: Int32Array): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const t = values[i];
      values[i] = values[j];
      values[j] = t;
    }
  }
}
