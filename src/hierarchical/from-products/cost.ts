/**
 * What a compression from products will cost, before it is done: for its own plan, and for callers that choose between
 * entries and products.
 */
import { describe } from '../../core/kind.js';
import {
  requirePrecision,
  requireMemoryLimit,
  requireSeed,
  requireTolerance,
  requireWhole,
} from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import { requireKnownOptions, type KeysOf, type Resolved } from '../../core/known-options.js';
import type { Precision } from '../../core/floats.js';
import { asTree, mostInLeaf, type ClusterTree, type GivenTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import { productWidth } from './ordered-products.js';
/** Formats that can be had from products. */
export type ProductsFormat = 'hss' | 'hodlr';

/** Options of a compression from products. */
export interface ProductsOptions {
  readonly format: ProductsFormat;
  /** Largest rank of a node, s. */
  readonly maxRank: number;
  /** Asked relative error ‖A − K̃‖_F/‖A‖_F; what maxRank allows of it is measured. */
  readonly tolerance: number;
  /**
   * Random vectors beyond those that the ranks need; more of them bring the error at a given rank nearer to the best
   * there is. Default max(64, maxRank) with HSS and max(24, maxRank/2) with HODLR, where it counts twice a level: then
   * it is within a few tenths of it on matrices whose singular values fall slowly.
   */
  readonly oversampling?: number | undefined;
  /** Seeds the random vectors. */
  readonly seed: number;
  /** Precision of the stored blocks and of products with K̃. Default 'f64'. */
  readonly dtype?: Precision | undefined;
  /**
   * Precision of the vectors given to the operator. Default 'f64'; 'f32' halves the time of most operators, and limits
   * the error to some 1e-5.
   */
  readonly productPrecision?: Precision | undefined;
  /** Bytes the compression may use; default: what the system says is free. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link ProductsOptions}. */
export const PRODUCTS_KEYS: KeysOf<ProductsOptions> = {
  format: true,
  maxRank: 'number',
  tolerance: 'number',
  oversampling: 'number',
  seed: 'number',
  dtype: true,
  productPrecision: true,
  memoryLimit: 'number',
};

/** Options of a compression from products, checked and with all defaults filled in. */
export interface ResolvedProductsOptions extends Resolved<Omit<ProductsOptions, 'memoryLimit'>> {
  readonly memoryLimit: number | undefined;
}

/** The options with their defaults; throws OptionError for what is out of its domain. */
export function resolveProductsOptions(options: ProductsOptions): ResolvedProductsOptions {
  const { format, maxRank, tolerance, seed, memoryLimit, dtype = 'f64', productPrecision = 'f64' } = options;
  if (format !== 'hss' && format !== 'hodlr')
    throw new OptionError(`Compression from products makes 'hss' or 'hodlr', not ${describe(format)}.`, {
      option: 'format',
      value: format,
    });
  requireWhole(maxRank, 'maxRank', 1, 16_384);
  const oversampling =
    options.oversampling ?? (format === 'hss' ? Math.max(64, maxRank) : Math.max(24, Math.ceil(maxRank / 2)));
  // Ω's blocks must stay well conditioned: E‖Ω⁺‖² is finite from two columns more than rows on.
  requireWhole(oversampling, 'oversampling', 2, 65_536);
  requireSeed(seed);
  requireTolerance(tolerance);
  requirePrecision(dtype, 'dtype');
  requirePrecision(productPrecision, 'productPrecision');
  if (memoryLimit !== undefined) requireMemoryLimit(memoryLimit);
  return { format, maxRank, tolerance, oversampling, seed, dtype, productPrecision, memoryLimit };
}

/** Fresh random vectors that the error is measured with. */
export const MEASURED_VECTORS = 24;

/** Predicted cost of a compression from products. */
export interface CompressionCost {
  /** Vectors the operator will be multiplied with, the final measurement's included. */
  readonly products: number;
  /** Random vectors of the sketch (HSS) or of the widest level (HODLR); N where all columns are computed. */
  readonly samples: number;
  /**
   * So small a matrix, or such high ranks, that all N columns cost no more products: they are computed, and nothing is
   * random.
   */
  readonly complete: boolean;
  /** Upper bound of the flops besides the operator's: every node at its maximal rank. */
  readonly flops: number;
  /** Upper bound of the bytes to be allocated, the matrix itself included. */
  readonly bytes: number;
}

/**
 * Predicts `compressOperator` on this tree.
 *   HSS    s = max(m, 2·rank) + rank + oversampling products for leaves of at most m indices;
 *   HODLR  2·(rank + oversampling) products a level (fewer where nodes are smaller), and m for the leaves.
 */
export function compressionCost(
  given: GivenTree,
  options: Pick<ProductsOptions, 'format' | 'maxRank' | 'oversampling' | 'dtype' | 'productPrecision'>,
): CompressionCost {
  const tree = asTree(given, 'compressionCost');
  requireKnownOptions(options as ProductsOptions, PRODUCTS_KEYS, 'compressionCost');
  const resolved = resolveProductsOptions({ tolerance: 0, seed: 0, ...options });
  const { format, maxRank, dtype, productPrecision } = resolved;
  const n = tree.size;
  const sampled =
    format === 'hss'
      ? hssSamples(tree, resolved)
      : peelingWidths(tree, resolved).reduce((sum, width) => sum + 2 * width, 0) + mostInLeaf(tree);
  const complete = sampled + MEASURED_VECTORS >= n;
  const products = complete ? n : sampled + MEASURED_VECTORS;
  const samples = complete
    ? n
    : format === 'hss'
      ? sampled
      : Math.max(mostInLeaf(tree), ...peelingWidths(tree, resolved));
  const stored = storedElements(tree, format, maxRank);
  const width = productWidth(n, samples);
  const buffers = n * width * (8 + 2 * (productPrecision === 'f64' ? 8 : 4)) + 8 * 2 * n * MEASURED_VECTORS;
  const work = format === 'hss' ? hssWork(tree, samples, maxRank) : peelingWork(tree, resolved, samples);
  return {
    products,
    samples,
    complete,
    flops: work.flops,
    bytes: (dtype === 'f64' ? 8 : 4) * stored + buffers + 8 * work.elements + (complete ? 8 * n * n : 0),
  };
}

/** Columns of the one test matrix: more than a node has rows by as many as a basis may need, and the oversampling. */
function hssSamples(tree: ClusterTree, { maxRank, oversampling }: ResolvedProductsOptions): number {
  if (tree.depth === 0) return tree.size;
  return Math.max(mostInLeaf(tree), 2 * maxRank) + maxRank + oversampling;
}

/** Columns of the sketch that no rank is counted on. */
const RESERVE = 8;

/**
 * Rank that HSS bases are found with, before they are truncated to `maxRank`: what a basis misses comes back as an
 * error of the diagonal block, q/(s − q) times as large for q rows and s samples, and in every level above. So the
 * sketch is used up: two ranks for the rows of the parent, and one and a half for what lies outside.
 */
export const foundRank = (samples: number, maxRank: number): number =>
  Math.max(maxRank, Math.floor((samples - RESERVE) / 3.5));

/** Random vectors of the levels 1 … depth, from the first. */
export function peelingWidths(
  tree: ClusterTree,
  { maxRank, oversampling }: Pick<ResolvedProductsOptions, 'maxRank' | 'oversampling'>,
): number[] {
  const widths: number[] = [];
  for (let level = 1; level <= tree.depth; level++) {
    let most = 0;
    for (let ν = 2 ** level - 1; ν < 2 ** (level + 1) - 1; ν += 2) {
      most = Math.max(
        most,
        Math.min(maxRank + oversampling, tree.end[ν] - tree.begin[ν], tree.end[ν + 1] - tree.begin[ν + 1]),
      );
    }
    widths.push(most);
  }
  return widths;
}

/** Elements of the matrix with every node at its maximal rank. */
function storedElements(tree: ClusterTree, format: ProductsFormat, maxRank: number): number {
  let elements = 0;
  for (let ν = 0; ν < nodesOf(tree); ν++) {
    const size = tree.end[ν] - tree.begin[ν];
    const rank = Math.min(maxRank, size);
    if (ν >= firstLeaf(tree)) elements += (size * (size + 1)) / 2 + size * rank;
    else elements += rank * rank + (format === 'hodlr' ? size * rank : rank * rank);
  }
  return elements;
}

function hssWork(tree: ClusterTree, samples: number, maxRank: number): { flops: number; elements: number } {
  const found = foundRank(samples, maxRank);
  let flops = 0;
  let elements = tree.size * samples;
  for (let ν = 0; ν < nodesOf(tree); ν++) {
    const size = tree.end[ν] - tree.begin[ν];
    const leaf = ν >= firstLeaf(tree);
    const rank = Math.min(found, size);
    const rows = leaf ? size : Math.min(2 * found, size);
    // QR of Ωᵀ, Qᵀ applied to Yᵀ, QR of Y·Z, its singular values, what is passed up; the singular values of the block
    // row, and the truncation.
    flops +=
      2 * samples * rows * rows +
      4 * samples * rows * rows +
      2 * samples * rows * rows +
      22 * rows ** 3 +
      6 * samples * rows * rank +
      30 * rank ** 3 +
      6 * rows * rank * rank;
    elements +=
      rows * rows + rows * rank + 3 * rank * rank + 2 * samples * rank + Math.min(maxRank, size) * (rows + 2 * rank);
  }
  return { flops, elements };
}

function peelingWork(
  tree: ClusterTree,
  options: ResolvedProductsOptions,
  samples: number,
): { flops: number; elements: number } {
  const n = tree.size;
  let flops = 0;
  let above = 0;
  for (const width of [...peelingWidths(tree, options), mostInLeaf(tree)]) {
    // Peeling off the levels above, twice; QR of the samples and of the products, and the bases from them.
    flops += 8 * n * above * width + 8 * n * width * width;
    above += width;
  }
  return { flops, elements: 2 * n * samples + n * above };
}
