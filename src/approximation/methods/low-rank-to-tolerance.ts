/**
 * The rank that a tolerance needs: sketches of doubled ranks, each measured on random vectors that it did not see.
 *
 * Of fresh normal vectors W, E‖(A − Ã)W‖_F² = k·‖A − Ã‖_F² (N. Halko, P.-G. Martinsson, J. Tropp, SIAM Review 53(2),
 * 2011, section 4.3, has the same for ‖·‖₂). What a higher rank would leave is predicted by the power of i with which
 * the last eigenvalues of a sketch fall; where that is far too much, the search ends early.
 */
import { RandomStream } from '../../core/random.js';
import { block, squaredNorm, zeros, type Matrix } from '../../dense/matrix.js';
import { LowRankOperator } from '../../lowrank/low-rank-operator.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';

/** Random vectors that errors are measured with. */
const VECTORS = 16;
const STREAM = 0x10a7;
const FIRST_RANK = 32;
/** The measured error may be so much of the tolerance: it is a sample's. */
const AIM = 0.85;
/** A predicted error so many times the one that is wanted tells that there is none: eigenvalues may yet fall faster. */
const HOPELESS = 10;
/** Eigenvalues from that share of the rank on tell how they fall. */
const LAST = 1 / 4;
/** A slower fall than the power ½ has a sum of squares that never ends. */
const SLOWEST = 0.6;

/** A sketch of a rank: U diag(λ) Uᵀ, |λ| falling, and the products that it took. */
export interface Sketched {
  readonly operator: LowRankOperator;
  readonly products: number;
}

/** Random vectors, and A times them. */
export class LowRankTest {
  /** Products with single vectors that it took. */
  readonly products = VECTORS;
  readonly #vectors: Matrix;
  readonly #images: Matrix;

  /** Multiplies. Throws what the operator throws. */
  constructor(operator: LinearOperator, seed: number) {
    this.#vectors = zeros(operator.rows, VECTORS);
    new RandomStream(seed, STREAM).fillNormal(this.#vectors.data);
    this.#images = zeros(operator.rows, VECTORS);
    operator.applyUnchecked(this.#images, this.#vectors, 1, 0);
  }

  /** ‖A − Ã‖_F², and ‖A‖_F² = ‖Ã‖_F² + ‖A − Ã‖_F² of a projection, about. */
  measure(sketch: LowRankOperator): { readonly left: number; readonly whole: number } {
    const rest = zeros(this.#images.rows, VECTORS);
    rest.data.set(this.#images.data);
    sketch.applyUnchecked(rest, this.#vectors, -1, 1);
    const left = squaredNorm(rest) / VECTORS;
    return { left, whole: sketch.squaredNorm + left };
  }

  /**
   * ‖A − Ã‖_F/‖A‖_F that a matrix of rank `most` would leave, by a sketch of a lower rank r: with λ_i ~ i^−p it is
   * (r/most)^(p − ½) of what the sketch left; of eigenvalues that hardly fall each takes off as much as the last one.
   */
  predict(sketch: LowRankOperator, most: number): number {
    const { left, whole } = this.measure(sketch);
    const { values, rank } = sketch;
    if (!(whole > 0) || most <= rank) return Math.sqrt(left / (whole || 1));
    const from = Math.max(1, Math.floor(LAST * rank));
    const [earlier, last] = [Math.abs(values[from - 1]), Math.abs(values[rank - 1])];
    if (!(last > 0)) return 0;
    const power = from === rank ? 0 : Math.log(earlier / last) / Math.log(rank / from);
    const rest =
      power > SLOWEST ? left * (rank / most) ** (2 * power - 1) : Math.max(0, left - (most - rank) * last ** 2);
    return Math.sqrt(rest / whole);
  }

  /** Whether an error is out of reach of rank `most`, as a sketch of a lower one predicts. */
  isHopeless(sketch: LowRankOperator, most: number, error: number): boolean {
    return this.predict(sketch, most) > HOPELESS * error;
  }
}

/**
 * U diag(λ) Uᵀ of the least rank up to `most` whose error is about 0.85 of the tolerance; undefined where none is
 * found, or, of ranks below N, predicted. Cost: 16 products, and sketches of doubled ranks up to twice what is needed.
 * Throws what `sketch` throws.
 */
export async function lowRankToTolerance(
  operator: LinearOperator,
  { tolerance, most, seed }: { readonly tolerance: number; readonly most: number; readonly seed: number },
  sketch: (rank: number) => Promise<Sketched>,
  { team }: TeamControl,
): Promise<Sketched | undefined> {
  if (most < 1) return undefined;
  const test = new LowRankTest(operator, seed);
  let products = test.products;
  for (let rank = Math.min(FIRST_RANK, most); ; rank = Math.min(2 * rank, most)) {
    const found = await sketch(rank);
    products += found.products;
    const { left, whole } = test.measure(found.operator);
    const allowed = (AIM * tolerance) ** 2 * whole;
    if (left <= allowed) {
      const { vectors, values } = found.operator;
      let kept = values.length;
      let dropped = left;
      while (kept > 1 && dropped + values[kept - 1] ** 2 <= allowed) dropped += values[--kept] ** 2;
      const part = block(vectors, 0, 0, vectors.rows, kept);
      return { operator: new LowRankOperator(part, values.subarray(0, kept), team.blas, team), products };
    }
    // Of rank N all matrices are.
    if (rank === most || (most < operator.rows && test.isHopeless(found.operator, most, tolerance))) return undefined;
  }
}
