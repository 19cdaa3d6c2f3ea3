/**
 * How many iterations conjugate gradients take on a spectrum: they are run on a diagonal matrix that has it.
 *
 *   A + λI = diag(a_k),  M = diag(m_k),  b_k = √n_k  for n_k eigenvalues about a_k
 *
 * In exact arithmetic the residuals depend on the eigenvalues of M(A + λI) and on b's share in each eigenvector alone,
 * which of a random b is the same in each. Bounds by the condition, or by outliers and the condition of the rest, are
 * several times off where the spectrum decays (A. Greenbaum, *Iterative Methods for Solving Linear Systems*, SIAM 1997,
 * section 3.1), and a run in float64 loses orthogonality as a real one does (section 4.4 there). On the spectra of
 * kernels in 1 to 54 dimensions it takes the steps of conjugate gradients to some percent.
 */

/** Values a_k of A + λI, descending and positive, with how many eigenvalues each stands for. */
export interface Levels {
  readonly values: Float64Array;
  readonly counts: Float64Array;
}

/** Values that stand for a spectrum at most, and how many of the largest ones stand for one eigenvalue each. */
const VALUES = 384;
const SINGLE = 128;
/** Of p right-hand sides conjugate gradients take so many eigenvalues each step: p would be those of exact ones. */
const OF_BLOCK = 0.75;

/**
 * The levels that steps with so many right-hand sides tell apart: a polynomial of degree k with coefficients of p × p
 * takes k·p eigenvalues away (D. O'Leary, Linear Algebra Appl. 29, 1980), so that each ¾·p neighbors are as one; and
 * where there are many, those far down that hardly differ are one too.
 */
export function levelsFor({ values, counts }: Levels, vectors: number): Levels {
  const together = Math.max(1, OF_BLOCK * vectors);
  const merged = merge({ values, counts }, (_, count) => count < together);
  const { length } = merged.values;
  if (length <= VALUES) return merged;
  let ratio = Math.max(1.001, (merged.values[SINGLE] / merged.values[length - 1]) ** (1 / (VALUES - SINGLE)));
  for (;;) {
    const limit = ratio;
    const fewer = merge(merged, (of, _, k, begin) => begin >= SINGLE && of.values[k] * limit > of.values[begin]);
    if (fewer.values.length <= VALUES) return fewer;
    ratio *= ratio;
  }
}

/** Numbers of [0, 1) that are spread evenly, for k = 0, 1, …: multiples of the golden ratio. */
export const evenly = (k: number): number => (k * 0.618_033_988_749_895) % 1;

/** Merges level k into the one that began at `begin` and has `count` eigenvalues where `joins` says so. */
function merge(levels: Levels, joins: (levels: Levels, count: number, k: number, begin: number) => boolean): Levels {
  const { values, counts } = levels;
  const [means, sums]: [number[], number[]] = [[], []];
  for (let k = 0; k < values.length;) {
    const begin = k;
    let [sum, count] = [0, 0];
    do {
      sum += counts[k] * Math.log(values[k]);
      count += counts[k];
      k++;
    } while (k < values.length && joins(levels, count, k, begin));
    means.push(Math.exp(sum / count));
    sums.push(count);
  }
  return { values: Float64Array.from(means), counts: Float64Array.from(sums) };
}

/**
 * Steps until ‖b − (A + λI)x‖ ≤ tolerance·‖b‖ from x = 0, with M = diag(inverse) as preconditioner; `most` + 1 where
 * that takes more than `most`, or is never reached. Costs some 12 flops a value and step.
 */
export function simulatedSteps(
  { values, counts }: Levels,
  tolerance: number,
  most: number,
  inverse: Float64Array,
): number {
  const size = values.length;
  const residual = new Float64Array(size);
  const direction = new Float64Array(size);
  let [norm, rho, before] = [0, 0, Infinity];
  for (let k = 0; k < size; k++) {
    residual[k] = Math.sqrt(counts[k]);
    norm += counts[k];
    rho += counts[k] * inverse[k];
  }
  const wanted = tolerance * tolerance * norm;
  for (let step = 1; step <= most; step++) {
    const beta = rho / before;
    let curvature = 0;
    for (let k = 0; k < size; k++) {
      const p = residual[k] * inverse[k] + beta * direction[k];
      direction[k] = p;
      curvature += values[k] * p * p;
    }
    const length = rho / curvature;
    before = rho;
    [norm, rho] = [0, 0];
    for (let k = 0; k < size; k++) {
      const r = residual[k] - length * values[k] * direction[k];
      residual[k] = r;
      norm += r * r;
      rho += r * r * inverse[k];
    }
    if (norm <= wanted) return step;
    // Of values beyond the range, or an M that is singular, nothing can be said.
    if (Number.isNaN(norm)) break;
  }
  return most + 1;
}
