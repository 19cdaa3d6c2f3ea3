/**
 * Kronecker sums without negative eigenvalues: what is negative is lifted, and the rest shifted.
 *
 *   H̃ ← H̃ + P(Σ_k |θ_k| v_kv_kᵀ) + δI,    θ_k < 0,  H̃v_k ≈ θ_kv_k
 *
 * P projects on the numbers that are stored: S_j += |θ_k| V M_j V′ᵀ for the parts V, V′ of a vector v in two layers. G
 * has no negative eigenvalues, so that the negative part of H̃ is no larger than the error, and, P being orthogonal to
 * what was dropped, what it adds to the error is known exactly. It takes no bytes, and brings λ_min of H̃ nearer to
 * zero; δ = −(λ_min − bound) does the rest, at a cost of δ√(order of H̃). Alternating projections on a subspace and the
 * semidefinite matrices, over-relaxed; where a lift went too far, the next one goes half as far.
 */
import { NonFiniteError } from '../../core/errors.js';
import { floats, precisionOf, ROUNDOFF, type FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, zeros, type Matrix } from '../../dense/matrix.js';
import { krylovEigenvalues, type TopEigenvalues } from '../../lowrank/top-eigenvalues.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { panelAt, panelCount, wideView, type KroneckerSumData, type Panel } from './data.js';
import { ownTrace, panelTrace } from './diagonal.js';
import { KroneckerSumCore } from './product.js';

/** Products of one look at the lower end of the spectrum, and vectors that are lifted of it. */
const PRODUCTS = 600;
const VECTORS = 200;
/** How often a vector is lifted by its −θ, P keeping a part of vvᵀ only: at first, and at least. */
const RELAXATION = 3;
const LEAST_RELAXATION = 0.3;
/** Lifts at most: where H̃ is decomposed whole, and by products. */
const LIFTS = { dense: 60, krylov: 4 } as const;
/** Lift and shift that cost no more than this of the best before are a gain. */
const WORTH = 0.95;

/** What is known of a sum, and how to look at it. */
export interface LiftRequest {
  /** ‖G‖_F and ‖G − G̃‖_F. */
  readonly norm: number;
  readonly error: number;
  readonly seed: number;
  readonly memoryLimit: number;
  readonly control: TeamControl;
}

/** How a sum was made positive semidefinite. */
export interface Lifting {
  /** δ. */
  readonly shift: number;
  /** Of Δ, what was added to the stored numbers: by how much ‖G − G̃‖_F² grew, and its trace. */
  readonly change: number;
  readonly trace: number;
  /** λ_min of H̃ before the shift, as the last look found it, and within what an eigenvalue lies there. */
  readonly smallest: number;
  readonly bound: number;
  readonly lifts: number;
}

/** The stored numbers as they were at a look, and what the shift would cost then. */
interface State {
  readonly lifting: Lifting;
  readonly cost: number;
  readonly values: FloatArray;
  readonly found: TopEigenvalues;
}

/**
 * Adds to the stored numbers and says what shift remains. At most 600 products a lift and before the first, or where
 * the order is at most 810 a decomposition; the numbers twice, and 800 vectors. Throws NonFiniteError, MemoryError,
 * AbortedError.
 */
export async function liftToSemidefinite(
  data: KroneckerSumData,
  { norm, error, seed, memoryLimit, control }: LiftRequest,
): Promise<Lifting> {
  const { blas } = control.team;
  const core = new KroneckerSumCore(data, control.team);
  const order = Math.sqrt(data.size);
  const rounding = ROUNDOFF[precisionOf(data.values)] * norm;
  const look = { which: 'smallest', maxProducts: PRODUCTS, blockSize: 1, blas, seed, memoryLimit } as const;
  const [own, overlap] = [ownTrace(data), panelTrace(data, data.terms)];
  const original = copyOf(data.values);
  let best: State | undefined;
  let relaxation = RELAXATION;
  try {
    for (let lifts = 0; ; lifts++) {
      const found = await krylovEigenvalues(core, Math.min(VECTORS, data.size), look, control);
      if (found.outcome === 'nonFinite')
        throw new NonFiniteError('Products with this Kronecker sum overflow: scale the parameters or the data.', {});
      const [smallest, bound] = [found.values[0], found.residuals[0]];
      const shift = Math.max(0, bound + rounding - smallest);
      // What was dropped is orthogonal to Δ, the terms on the diagonals are not.
      const change = squaredChange(data, original) + 2 * (panelTrace(data, data.terms) - overlap);
      const cost = (shift * order) ** 2 + change;
      const gained = best === undefined || cost <= WORTH * best.cost;
      if (best === undefined || cost < best.cost) {
        const lifting = { shift, change, trace: ownTrace(data) - own, smallest, bound, lifts };
        best = { lifting, cost, values: copyOf(data.values), found };
      }
      // Where a lift went too far, the next one goes from the best state, half as far.
      if (!gained) relaxation /= 2;
      data.values.set(best.values);
      const most = found.method === 'dense' ? LIFTS.dense : LIFTS.krylov;
      if (best.cost <= error ** 2 || smallest >= 0 || lifts === most || relaxation < LEAST_RELAXATION)
        return best.lifting;
      const { values, vectors } = best.found;
      for (let k = 0; k < values.length && values[k] < 0; k++)
        addProjected(data, block(vectors, 0, k, data.size, 1), -relaxation * values[k], blas);
    }
  } finally {
    core.release();
  }
}

function copyOf(values: FloatArray): FloatArray {
  const copy = floats(values.length, precisionOf(values));
  copy.set(values);
  return copy;
}

/** Calls `visit` with every panel. */
function eachPanel(data: KroneckerSumData, visit: (panel: Panel) => void): void {
  for (let k = 0; k < panelCount(data); k++) visit(panelAt(data, k));
}

/** ‖·‖_F² of the difference of stored numbers: off the layers' diagonal blocks each stands for two. */
function squaredChange(data: KroneckerSumData, original: FloatArray): number {
  const { values } = data;
  let sum = 0;
  eachPanel(data, ({ values: begin, modes, rows, columns, pair }) => {
    const once = pair.row === pair.column ? modes * rows * rows : 0;
    for (let k = 0, at = begin; k < modes * rows * columns; k++, at++)
      sum += (k < once ? 1 : 2) * (values[at] - original[at]) ** 2;
  });
  return sum;
}

/** S_j ← S_j + factor·V M_j V′ᵀ in what is stored, V and V′ the parts of a rotated vector in two layers. */
function addProjected(data: KroneckerSumData, vector: Matrix, factor: number, blas: Blas): void {
  const parts = data.layers.map(({ base, directions, units }) =>
    view(vector.data, vector.offset + base, directions, units),
  );
  eachPanel(data, ({ pair, modes, rows, columns, rowBegin, columnBegin, values, mixing }) => {
    const [near, far] = [parts[pair.row], parts[pair.column]];
    const own = view(near.data, near.offset + rowBegin, rows, near.cols, near.ld);
    const mixed = zeros(rows, modes * far.cols);
    if (pair.diagonal) {
      for (let p = 0, to = 0; p < far.cols; p++)
        for (let j = 0; j < modes; j++)
          for (let i = 0; i < rows; i++, to++)
            mixed.data[to] = data.mixing[mixing + j + modes * p] * own.data[own.offset + i + p * own.ld];
    } else {
      blas.gemm('N', 'N', 1, own, wideView(data.mixing, mixing, near.cols, modes * far.cols), 0, mixed);
    }
    const product = zeros(modes * rows, columns);
    blas.gemm(
      'N',
      'T',
      factor,
      view(mixed.data, 0, modes * rows, far.cols),
      view(far.data, far.offset + columnBegin, columns, far.cols, far.ld),
      0,
      product,
    );
    for (let k = 0; k < product.data.length; k++) data.values[values + k] += product.data[k];
  });
}
