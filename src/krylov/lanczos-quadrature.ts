/**
 * Gauss quadratures of the spectral measure of a symmetric operator, from random probes. Layer 3.
 *
 *   (1/N) vᵀf(A)v = ∫ f dμ_v ≈ Σ_k τ_k² f(θ_k),   T_m = tridiag(β, α, β) after m Lanczos steps from v/√N,  T_m y_k = θ_k y_k,  τ_k = first entry of y_k
 *
 * (G. Golub, G. Meurant, *Matrices, Moments and Quadrature with Applications*, Princeton 2010, chapter 6), exact for polynomials of degree 2m − 1. Several probes
 * run side by side, each with its own three-term recurrence, so that products are with blocks. There is no reorthogonalisation: with rounding the
 * measure's nodes only spread to close copies that share their weight (A. Greenbaum, Linear Algebra Appl. 113, 1989; T. Chen, T. Trogdon, S. Ubaru, *Analysis of stochastic
 * Lanczos quadrature for spectrum approximation*, ICML 2021).
 */
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FactorizationError, OptionError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { view, zeros } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { checkSystem } from './solver-checks.js';

export interface ProbeOptions {
  readonly blas: Blas;
  readonly seed?: number;
  /** Random vectors with entries ±1; default 30. */
  readonly probes?: number;
  /** Lanczos steps for each; default 100, at most N. Ubaru, Chen and Saad: some √κ/4 · log(1/error) for log det. */
  readonly degree?: number;
  /** Probes multiplied together, 3N numbers each; default 8. */
  readonly blockSize?: number;
}
export const PROBE_KEYS: KeysOf<ProbeOptions> = {
  blas: true, seed: true, probes: true, degree: true, blockSize: true,
};

/** T_m of a probe: m diagonal entries; the m entries beside them, of which the last couples to the step that was not taken (0 where the space is invariant). */
export interface Tridiagonal { readonly diagonal: Float64Array; readonly beside: Float64Array }

/** Nodes, ascending, and their weights, which sum to 1. */
export interface Quadrature { readonly nodes: Float64Array; readonly weights: Float64Array }

const PROBES = 30;
const DEGREE = 100;
const BLOCK_SIZE = 8;
const STREAM = 0x51a9c7;
const TURN_MS = 50;

function whole(value: number, least: number, what: string): number {
  if (!Number.isInteger(value) || value < least) throw new OptionError(`${what} must be a whole number ≥ ${least}, not ${value}.`, { [what]: value });
  return value;
}

/**
 * The Lanczos matrices of all probes; undefined where a product is not finite. Cost: probes × degree products, in blocks.
 * The same seed gives the same bits. Throws ShapeError, OptionError, AbortedError.
 */
export async function lanczosMatrices(operator: LinearOperator, options: ProbeOptions, control: RunControl): Promise<Tridiagonal[] | undefined> {
  const size = checkSystem(operator, 'Stochastic Lanczos quadrature');
  const probes = whole(options.probes ?? PROBES, 1, 'probes');
  const degree = Math.min(size, whole(options.degree ?? DEGREE, 1, 'degree'));
  const width = Math.min(probes, whole(options.blockSize ?? BLOCK_SIZE, 1, 'blockSize'));
  const { seed = 0 } = options;
  const blocks: Blocks = { before: sharedFloat64(size * width), current: sharedFloat64(size * width), image: sharedFloat64(size * width) };
  const found: Tridiagonal[] = [];
  let turn = performance.now();
  throwIfAborted(control.signal);
  for (let first = 0; first < probes; first += width) {
    const count = Math.min(width, probes - first);
    for (let j = 0; j < count; j++) {
      const random = new RandomStream(seed, STREAM, first + j);
      const entry = 1 / Math.sqrt(size);
      for (let i = j * size; i < (j + 1) * size; i++) blocks.current[i] = random.uint32() < 2147483648 ? entry : -entry;
    }
    blocks.before.fill(0);
    const group = Array.from({ length: count }, (): Growing => ({ diagonal: [], beside: [], norm: 0, ended: false }));
    for (let step = 0; step < degree && group.some(({ ended }) => !ended); step++) {
      operator.applyUnchecked(view(blocks.image, 0, size, count), view(blocks.current, 0, size, count), 1, 0);
      for (let j = 0; j < count; j++) if (!lanczosStep(group[j], blocks, j, size)) return undefined;
      const { before } = blocks;
      blocks.before = blocks.current;
      blocks.current = before;
      if (performance.now() - turn > TURN_MS) {
        await new Promise(setImmediate);
        turn = performance.now();
      }
      throwIfAborted(control.signal);
      control.onProgress?.({ phase: 'quadrature', done: first * degree + (step + 1) * count, total: probes * degree });
    }
    for (const { diagonal, beside } of group) found.push({ diagonal: Float64Array.from(diagonal), beside: Float64Array.from(beside) });
  }
  return found;
}

interface Blocks { before: Float64Array; current: Float64Array; image: Float64Array }
interface Growing { readonly diagonal: number[]; readonly beside: number[]; norm: number; ended: boolean }

/** One step of probe j: the next vector replaces the one before the current. False where something is not finite. */
function lanczosStep(t: Growing, { before, current, image }: Blocks, j: number, size: number): boolean {
  const first = j * size;
  const end = first + size;
  if (t.ended) {
    before.fill(0, first, end);
    return true;
  }
  const beta = t.beside.length > 0 ? t.beside[t.beside.length - 1] : 0;
  let alpha = 0;
  for (let i = first; i < end; i++) {
    const value = image[i] - beta * before[i];
    image[i] = value;
    alpha += value * current[i];
  }
  let sum = 0;
  for (let i = first; i < end; i++) {
    const value = image[i] - alpha * current[i];
    image[i] = value;
    sum += value * value;
  }
  const length = Math.sqrt(sum);
  if (!Number.isFinite(alpha) || !Number.isFinite(length)) return false;
  t.norm = Math.max(t.norm, Math.hypot(beta, alpha, length));
  t.diagonal.push(alpha);
  t.ended = length <= 4 * Math.sqrt(size) * Number.EPSILON * t.norm;
  t.beside.push(t.ended ? 0 : length);
  if (t.ended) before.fill(0, first, end);
  else for (let i = first; i < end; i++) before[i] = image[i] / length;
  return true;
}

/** The Gauss quadrature of the first `degree` steps (all of them by default). Throws FactorizationError. */
export function gaussQuadrature(t: Tridiagonal, blas: Blas, degree: number = t.diagonal.length): Quadrature {
  return quadratureOf(t.diagonal.subarray(0, degree), t.beside, blas);
}

/**
 * The Gauss–Radau quadrature with a node at `node`, outside the interval of the spectrum or at its end: one node more than steps. Where the space is invariant it is Gauss's.
 * (G. Golub, *Some modified matrix eigenvalue problems*, SIAM Review 15(2), 1973: the new diagonal entry is node + δ_m with (T − node·I) δ = β_m² e_m.)
 */
export function radauQuadrature(t: Tridiagonal, blas: Blas, node: number): Quadrature {
  const { diagonal, beside } = t;
  const m = diagonal.length;
  if (beside[m - 1] === 0) return gaussQuadrature(t, blas);
  // LDLᵀ of T − node·I from the top: δ_m = β_m²/d_m.
  let pivot = diagonal[0] - node;
  for (let k = 1; k < m; k++) pivot = diagonal[k] - node - beside[k - 1] ** 2 / pivot;
  const extended = new Float64Array(m + 1);
  extended.set(diagonal);
  extended[m] = node + beside[m - 1] ** 2 / pivot;
  return quadratureOf(extended, beside, blas);
}

function quadratureOf(diagonal: Float64Array, beside: Float64Array, blas: Blas): Quadrature {
  const m = diagonal.length;
  const t = zeros(m, m);
  for (let k = 0; k < m; k++) {
    t.data[k * (m + 1)] = diagonal[k];
    if (k + 1 < m) t.data[k + 1 + k * m] = beside[k];
  }
  const nodes = new Float64Array(m);
  const info = blas.syevd(true, 'L', t, nodes);
  if (info !== 0) throw new FactorizationError(`syevd did not converge on a Lanczos matrix of size ${m} (info ${info}).`, { routine: 'syevd', info });
  return { nodes, weights: Float64Array.from(nodes, (_, k) => t.data[k * m] ** 2) };
}

/** Σ_k w_k f(θ_k). */
export function integrate({ nodes, weights }: Quadrature, f: (eigenvalue: number) => number): number {
  let sum = 0;
  for (let k = 0; k < nodes.length; k++) if (weights[k] > 0) sum += weights[k] * f(nodes[k]);
  return sum;
}
