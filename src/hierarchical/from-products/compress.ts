/**
 * From products alone to a hierarchical matrix: for operators without entries, or whose products are cheaper.
 */
import { sharedFloats } from '../../core/floats.js';
import { throwIfAborted } from '../../core/context.js';
import { AsymmetryError, NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { requireKnownOptions } from '../../core/known-options.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { squaredNorm, view, zeros, type FloatArray, type Precision } from '../../dense/matrix.js';
import { norm } from '../../dense/norm.js';
import { agreedMemory } from '../../distributed/agreed-memory.js';
import { availableMemory } from '../../io/machine.js';
import { NORMAL_QUANTILE } from '../../krylov/mean-interval.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { requireOperator } from '../../operator/self-check.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { Team } from '../../parallel/team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { unitFactor } from '../../source/unit-source.js';
import { mostInLeaf, type ClusterTree, asTree, type GivenTree } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { interactionLists } from '../../tree/lists.js';
import { peel, type Multiply } from './hodlr/peel.js';
import { drawSketch, hssFromSketch } from './hss/sketch.js';
import type { KeptProducts, MadeProducts, ProductsOf, Reference } from './kept-products.js';
import { checkTree } from '../matrix/check-data.js';
import {
  compressionCost,
  MEASURED_VECTORS,
  resolveProductsOptions,
  type CompressionCost,
  type ProductsOptions,
  type ResolvedProductsOptions,
  PRODUCTS_KEYS,
} from './cost.js';
import { decide, exactError, sampledError, type ErrorEstimate } from '../measure/error-interval.js';
import { type Layout, assemble } from '../matrix/layout.js';
import { hssSpectra } from './hss/spectra.js';
import { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import type { OperatorReport } from '../matrix/report.js';
import { COMPRESSION_NEED } from '../matrix/memory.js';
import { warnIfMissed } from '../matrix/tolerance-advice.js';
import { dealMatrix } from '../ranks/deal.js';
import { storeNested } from './hss/skeletons.js';
import { OrderedProducts } from './ordered-products.js';
import { drawTestVector } from './test-vectors.js';
import { allowedError, type ToleranceLimit, limitsOfMatrix, limitsOfNodes } from '../matrix/tolerance-limits.js';

const EXAMPLE = "compressOperator(operator, tree, { format: 'hss', maxRank: 64, tolerance: 1e-6, seed: 0 })";

/** What one attempt made. */
interface Compressed {
  readonly layout: Layout;
  readonly values: FloatArray;
  readonly dropped: number;
  readonly beyond: number;
}

/** Random vectors of no node of a tree. */
const REFERENCE_NODE = -1;
/** ‖G − Gᵀ‖_F, G = XᵀAX, relative to ‖X‖·‖AX‖ of a column: beyond rounding of the operator's precision. */
const ASYMMETRY = { f64: 1e-7, f32: 1e-3 } as const;
const MOST_ATTEMPTS = 3;
/** A new attempt aims this much below the tolerance, squared. */
const MARGIN = 0.8;
/**
 * An error below this share of the tolerance is worth another attempt, with a budget larger by a factor of 10⁴ at most.
 */
const WELL_USED = 0.7;
const LEAST_RATIO = 1e-2;

/**
 * Compresses a symmetric N × N operator A on a given cluster tree, from its products with blocks of vectors alone:
 *
 *   K̃ = blockdiag(D_leaf) + Σ over pairs of siblings (α, β) of P_αᵀ B_αβ P_β and its transpose,
 *
 * in the form that `compress` returns, with ‖A − K̃‖_F ≤ tolerance·‖A‖_F as far as `maxRank` allows.
 * `report.products.error` measures it on random vectors that nothing was fitted to, and `report.products.met` says
 * whether it was met. `compressionCost` predicts the products; where they would be N or more, all columns are computed,
 * and the error is exact. The tree may have leaves of any sizes; zero blocks get rank 0. The same seed gives the same
 * bits on a team of any size, as far as the operator's products do. K̃ is symmetric to the last bit; where A is
 * positive definite K̃ need not be, as with any truncation. Cost: O(N·s²) flops (HSS) or O(N·s²·levels²) (HODLR) beside
 * the products. Ranks of a team call it together, for an operator that has the same bits on all of them, and get the
 * matrix of one rank, which is dealt out to them (ranks/deal.ts). Throws ShapeError (sizes), OptionError
 * (options; an operator that says it is not symmetric), AsymmetryError (one that shows it is not), NonFiniteError,
 * MemoryError (before allocating), AbortedError, WorkerError. Sources: hierarchical/from-products/hss/sketch.ts
 * (Levitt, Martinsson), hierarchical/from-products/hodlr/peel.ts (Lin, Lu, Ying; Martinsson).
 */
export async function compressOperator(
  operator: LinearOperator,
  tree: GivenTree,
  options: ProductsOptions,
  control: Control = {},
): Promise<HierarchicalMatrix<OperatorReport>> {
  requireKnownOptions(options, PRODUCTS_KEYS, 'compressOperator', EXAMPLE);
  requireOperator(operator, 'compressOperator', options.productPrecision === 'f32' ? 'f32' : 'f64');
  const indices = asTree(tree, 'compressOperator');
  const on = await onTeam(control, 'compressOperator');
  const matrix = await compressProducts(operator, indices, options, on);
  return on.team.communicator.rank === 0 ? warnIfMissed(matrix, control) : matrix;
}

/**
 * `compressOperator` for callers inside, who read `report.met` themselves: options are known, and nobody is warned. HSS
 * compressions that share `kept` multiply once.
 */
export async function compressProducts(
  operator: LinearOperator,
  tree: ClusterTree,
  options: ProductsOptions,
  control: TeamControl,
  kept?: KeptProducts,
): Promise<HierarchicalMatrix<OperatorReport>> {
  const resolved = resolveProductsOptions(options);
  checkOperator(operator, tree);
  const began = performance.now();
  const cost = compressionCost(tree, resolved);
  const memory = agreedMemory(control.team.communicator, resolved.memoryLimit) ?? availableMemory();
  requireMemory(cost.bytes, memory, COMPRESSION_NEED);
  throwIfAborted(control.signal);
  const lists = interactionLists(tree, { count: 0, indices: new Int32Array(0) }, { budget: 0 });
  const products = new OrderedProducts(
    operator,
    tree.order,
    {
      precision: resolved.productPrecision,
      expected: cost.products,
      widest: cost.complete ? tree.size : cost.samples,
    },
    control,
  );
  try {
    const { seed, productPrecision: precision } = resolved;
    const of = { tree, columns: cost.samples, seed, precision };
    const known = kept?.take(of);
    const reference = known?.reference ?? (await multiplyReference(tree, resolved, cost, products, control));
    if (known === undefined) requireSymmetry(reference, tree, precision, control);
    else products.factor = known.factor;
    const whole = await (resolved.format === 'hss' ? nested : peeled)({
      tree,
      lists,
      options: resolved,
      cost,
      products,
      reference,
      of,
      known,
      kept,
      began,
      control,
    });
    return dealtOut(whole, control.team);
  } finally {
    products.release();
  }
}

/** What this rank keeps of a matrix that all ranks have made; of one process the matrix itself. */
function dealtOut(whole: HierarchicalMatrix<OperatorReport>, team: Team): HierarchicalMatrix<OperatorReport> {
  const { data, elements } = dealMatrix(whole.data, whole.elements, team);
  if (data === whole.data) return whole;
  whole.release();
  return new HierarchicalMatrix(data, elements, whole.report, team);
}

interface Task {
  readonly tree: ClusterTree;
  readonly lists: InteractionLists;
  readonly options: ResolvedProductsOptions;
  readonly cost: CompressionCost;
  readonly products: OrderedProducts;
  readonly reference: Reference;
  readonly of: ProductsOf;
  /** Products of an earlier compression, and where these are to be kept. */
  readonly known: MadeProducts | undefined;
  readonly kept: KeptProducts | undefined;
  readonly began: number;
  readonly control: TeamControl;
}

async function nested(task: Task): Promise<HierarchicalMatrix<OperatorReport>> {
  const { tree, lists, options, products, reference, of, known, kept, control } = task;
  const { maxRank, tolerance, seed, productPrecision } = options;
  const drawn = reference.complete ? undefined : (known?.sketch ?? (await drawSketch(tree, of, products, control)));
  kept?.keep(of, { reference, factor: products.factor, sketch: drawn });
  const all = { y: reference.y.data as Float64Array, columns: tree.size, seed, precision: productPrecision };
  const sketch = drawn ?? { ...all, vectors: 'unit' as const };
  const asked = (tolerance * reference.norm) ** 2;
  const { levels, beyond: unseen } = await hssFromSketch(tree, sketch, maxRank, asked, control);
  const spectra = await hssSpectra(tree, levels, control);
  let target = asked;
  let best: HierarchicalMatrix<OperatorReport> | undefined;
  for (let attempt = 1; ; attempt++) {
    const { layout, values, dropped, beyond } = await storeNested(
      spectra,
      lists,
      { maxRank, budget: target },
      allocator(options.dtype),
      control,
    );
    const matrix = await finish(task, { layout, values, dropped, beyond: beyond + unseen }, attempt);
    if (best === undefined || isBetter(matrix, best)) {
      best?.release();
      best = matrix;
    } else {
      matrix.release();
    }
    const { error, met } = matrix.report.products;
    // Again where the tolerance is undercut, or where it is its share that is missed and not the ranks' or the
    // sketch's.
    const another = met
      ? dropped > 0 && error.relative < WELL_USED * tolerance
      : error.relative < 1 && beyond + unseen < dropped;
    if (!another || attempt === MOST_ATTEMPTS) return best;
    // Where the tolerance is not met, it is the interval's upper end that has to come down.
    target *= MARGIN * (tolerance / Math.max(met ? error.relative : error.high, tolerance * LEAST_RATIO)) ** 2;
  }
}

/** Smaller among those that meet the tolerance, else more accurate. */
function isBetter(a: HierarchicalMatrix<OperatorReport>, b: HierarchicalMatrix<OperatorReport>): boolean {
  const mine = a.report.products;
  const other = b.report.products;
  if (mine.met !== other.met) return mine.met;
  return mine.met ? a.elements.total < b.elements.total : mine.error.relative < other.error.relative;
}

async function peeled(task: Task): Promise<HierarchicalMatrix<OperatorReport>> {
  const { tree, lists, options, reference, control, products } = task;
  const multiply: Multiply = reference.complete
    ? async (out, x) => {
        control.team.blas.gemm('N', 'N', 1, reference.y, x, 0, out);
      }
    : (out, x) => products.multiply(out, x);
  const made = await peel({ tree, lists, norm: reference.norm }, options, multiply, allocator(options.dtype), control);
  return finish(task, made, 1);
}

const allocator =
  (dtype: Precision) =>
  (length: number): FloatArray =>
    inLargePages(sharedFloats(length, dtype));

/** The matrix, measured. */
async function finish(
  { tree, lists, options, products, cost, reference, began, control }: Task,
  { layout, values, beyond }: Compressed,
  attempts: number,
): Promise<HierarchicalMatrix<OperatorReport>> {
  const { team } = control;
  const { format, maxRank, tolerance, dtype, seed } = options;
  const data = assemble(layout, lists, values, { format });
  const draft = new HierarchicalMatrix(data, layout.elements, {} as OperatorReport, team);
  throwIfAborted(control.signal);
  const error = measure(draft, tree, reference);
  if (products.factor !== 1) scaleBack(values, layout, products.factor);
  draft.release();
  const seconds = (performance.now() - began) / 1000;
  const met = error.relative <= allowedError(tolerance, dtype, tree.size);
  const report: OperatorReport = {
    origin: 'products',
    size: tree.size,
    format,
    leafSize: mostInLeaf(tree),
    maxRank,
    tolerance,
    budgetUsed: 0,
    dtype,
    seed,
    workers: team.workers,
    blas: team.blas.description,
    seconds: { compress: seconds },
    norm: reference.norm / products.factor,
    met,
    seen: error.relative,
    limits: met ? [] : limitsOf(layout, options, cost.complete),
    products: {
      products: products.done,
      samples: cost.samples,
      complete: cost.complete,
      seconds: { operator: products.seconds, compression: seconds - products.seconds },
      error,
      met: decide(error, tolerance) === 'met',
      beyondRank: reference.norm > 0 ? Math.sqrt(beyond) / reference.norm : 0,
      attempts,
    },
  };
  return new HierarchicalMatrix(data, layout.elements, report, team);
}

/** What kept the matrix from its tolerance: nodes at maxRank, or else the sample. */
function limitsOf(
  { skeletons: { begin } }: Layout,
  { format, maxRank, dtype, tolerance }: ResolvedProductsOptions,
  complete: boolean,
): ToleranceLimit[] {
  const ranks = Array.from({ length: begin.length - 1 }, (_, node) => ({ node, rank: begin[node + 1] - begin[node] }));
  const limits = [
    ...limitsOfNodes(
      ranks.filter(({ rank }) => rank === maxRank),
      maxRank,
      'maxRank',
    ),
    ...limitsOfMatrix({ format, budget: 0, budgetUsed: 0, dtype, tolerance }),
  ];
  return limits.length > 0 || complete ? limits : [{ limit: 'oversampling' }];
}

/**
 * values ← values/factor, but for the bases, which interpolate. Throws NonFiniteError where that is beyond the range.
 */
function scaleBack(values: FloatArray, { elements }: Layout, factor: number): void {
  for (let i = elements.basis; i < elements.total; i++) {
    values[i] /= factor;
    if (Number.isFinite(values[i])) continue;
    throw new NonFiniteError('A block to be stored is beyond the range of its precision.', { value: values[i] });
  }
}

function checkOperator(operator: LinearOperator, tree: ClusterTree): void {
  if (operator.rows !== operator.cols || operator.rows !== tree.size) {
    throw new ShapeError(
      `The operator is ${operator.rows} × ${operator.cols}, the tree has ${tree.size} indices: they must be of ` +
        'one size.',
      { rows: operator.rows, cols: operator.cols, size: tree.size },
    );
  }
  if (!operator.symmetric)
    throw new OptionError(
      'The operator says it is not symmetric: compression from products alone takes A·X for Aᵀ·X, so it needs a ' +
        'symmetric operator.',
      { option: 'operator' },
    );
  checkTree(tree, (what) => {
    throw new ShapeError(`The tree given is no cluster tree: ${what}.`, { size: tree.size });
  });
}

async function multiplyReference(
  tree: ClusterTree,
  { seed }: ResolvedProductsOptions,
  { complete }: CompressionCost,
  products: OrderedProducts,
  control: TeamControl,
): Promise<Reference> {
  const n = tree.size;
  const columns = complete ? n : MEASURED_VECTORS;
  const x = view(sharedFloat64(n * columns), 0, n, columns);
  const y = view(sharedFloat64(n * columns), 0, n, columns);
  for (let j = 0; j < columns; j++) {
    if (complete) x.data[j + j * n] = 1;
    else drawTestVector({ vectors: 'signs', seed }, { node: REFERENCE_NODE, begin: 0 }, j, view(x.data, j * n, 1, n));
  }
  await products.multiply(y, x);
  throwIfAborted(control.signal);
  // Everything that follows sums up squares: products are scaled into the range, what is stored is scaled back.
  const values = y.data as Float64Array;
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  products.factor = unitFactor(largest);
  if (products.factor !== 1) for (let i = 0; i < values.length; i++) values[i] *= products.factor;
  return { x, y, complete, norm: Math.sqrt(squaredNorm(y) / (complete ? 1 : columns)) };
}

/** xᵢᵀ(A·xⱼ) = xⱼᵀ(A·xᵢ) for all pairs of the reference's vectors. */
function requireSymmetry(
  { x, y, complete, norm }: Reference,
  tree: ClusterTree,
  precision: Precision,
  { team }: TeamControl,
): void {
  const p = x.cols;
  const g = complete ? y : zeros(p, p);
  if (!complete) team.blas.gemm('T', 'N', 1, x, y, 0, g);
  // Of random vectors, each product is of the size of ‖A‖_F; of unit vectors, all together are.
  const allowed = ASYMMETRY[precision] * norm;
  let worst = allowed;
  let where: readonly [number, number] | undefined;
  for (let j = 0; j < p; j++) {
    for (let i = j + 1; i < p; i++) {
      const difference = Math.abs(g.data[i + j * p] - g.data[j + i * p]);
      if (difference > worst) {
        worst = difference;
        where = [i, j];
      }
    }
  }
  if (where === undefined) return;
  const [i, j] = where;
  const what = complete ? `entry (${tree.order[i]}, ${tree.order[j]})` : 'xᵀ(A·y) for two random vectors';
  throw new AsymmetryError(
    `The operator is not symmetric: ${what} and its transpose differ by ${worst}, where ‖A‖_F is about ${norm}.`,
    { difference: worst, norm },
  );
}

/** ‖A − K̃‖_F/‖A‖_F from the reference. */
function measure(matrix: HierarchicalMatrix, tree: ClusterTree, { x, y, complete }: Reference): ErrorEstimate {
  const n = tree.size;
  const p = x.cols;
  const width = Math.min(p, 256);
  const vectors = view(sharedFloat64(n * width), 0, n, width);
  const values = view(sharedFloat64(n * width), 0, n, width);
  const exact = new Float64Array(p);
  const error = new Float64Array(p);
  const difference = new Float64Array(n);
  for (let first = 0; first < p; first += width) {
    const columns = Math.min(width, p - first);
    for (let j = 0; j < columns; j++)
      for (let k = 0; k < n; k++) vectors.data[tree.order[k] + j * n] = x.data[k + (first + j) * n];
    matrix.applyUnchecked(view(values.data, 0, n, columns), view(vectors.data, 0, n, columns), 1, 0);
    for (let j = 0; j < columns; j++) {
      for (let k = 0; k < n; k++) difference[k] = y.data[k + (first + j) * n] - values.data[tree.order[k] + j * n];
      exact[first + j] = norm(view(y.data, (first + j) * n, n, 1));
      error[first + j] = norm(view(difference, 0, n, 1));
    }
  }
  if (complete) return exactError(error, exact);
  const estimate = sampledError(error, exact, NORMAL_QUANTILE);
  // Signs that show no error leave room for rounding alone.
  return estimate.relative === 0 ? { ...estimate, high: n * Number.EPSILON } : estimate;
}
