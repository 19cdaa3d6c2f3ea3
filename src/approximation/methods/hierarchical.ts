/**
 * Hierarchical matrices within a budget of memory: the tolerance that fills it is searched.
 * Memory grows like a small power of 1/tolerance, so a few compressions with secant steps in logarithms suffice; the
 * most accurate one that fits is kept.
 */
import { OptionError } from '../../core/errors.js';
import { shareHolding } from '../../core/memory.js';
import { compressEntries } from '../../hierarchical/from-entries/compress.js';
import { Leftover } from '../../hierarchical/from-entries/leftover.js';
import { compressProducts } from '../../hierarchical/from-products/compress.js';
import { KeptProducts } from '../../hierarchical/from-products/kept-products.js';
import { chosenSentences } from '../../hierarchical/matrix/chosen-options.js';
import type { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import { availableMemory } from '../../io/machine.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { buildClusterTree } from '../../tree/build.js';
import { mostInLeaf, type ClusterTree } from '../../tree/cluster-tree.js';
import { bytesOfBudget, percent } from '../budget.js';
import { preferProducts, type UnitCosts } from './entries-or-products.js';
import type { Accuracy, Approximated, Budget } from './method.js';

/** The methods that search a tolerance. */
export type HierarchicalMethod = 'hss' | 'hodlr' | 'fmm';

/** Where a hierarchical matrix is made from: entries, or products alone. */
export interface HierarchicalInput {
  readonly operator: LinearOperator;
  readonly source?: EntrySource | undefined;
  /** What to make it from; 'auto' decides by `costs`. */
  readonly from: 'auto' | 'entries' | 'products';
  readonly costs?: UnitCosts | undefined;
  /** Without one: by the entries' distance, or in the order of the indices. */
  readonly tree?: ClusterTree | undefined;
  readonly leafSize: number;
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
}

const FIRST_TOLERANCE = 0.02;
/** Memory ~ tolerance^−POWER, until two compressions tell better. */
const POWER = 0.6;
const LEAST_TOLERANCE = 1e-12;
const MOST_TOLERANCE = 0.9;
/** A share of the budget that is full enough, and how many compressions may look for it. */
const FULL = 0.8;
const MOST_ATTEMPTS = 4;
/** The same where the products, which cost most, are made once for all of them. */
const MOST_WITH_PRODUCTS = 8;
/** Where none fits yet, so many more are tried at growing tolerances. */
const MORE_ATTEMPTS = 4;

/** Leaves whose diagonal blocks take about a quarter of what a row may store. */
export function leafSizeFor({ share }: Budget, size: number): number {
  const numbers = share * size;
  return Math.max(16, Math.min(512, 2 ** Math.floor(Math.log2(numbers / 2))));
}

/** Ranks that no budget of this size will want more of, as far as the memory for all nodes at that rank allows. */
function maxRankFor({ share }: Budget, size: number, leafSize: number, memory: number): number {
  const wanted = Math.max(leafSize, Math.ceil(2 * share * size));
  // Interpolations, bases and couplings of 2N/m nodes, s² numbers each.
  const affordable = Math.floor(Math.sqrt(memory / 2 / (8 * 3 * 2 * (size / leafSize))));
  return Math.max(16, Math.min(wanted, affordable, 2048, size));
}

/**
 * Products are paid for by the largest rank: what a row of the budget can hold, HODLR's twice over, because its levels
 * differ.
 */
function sampledRankFor({ share }: Budget, size: number, method: HierarchicalMethod, depth: number): number {
  const numbers = share * size;
  return Math.max(16, Math.min(1024, Math.ceil(method === 'hodlr' ? (2 * numbers) / Math.max(1, depth) : numbers)));
}

/** Rank limits of compressions from products, which pay for them: the first, doubled where it is hit, and the last. */
const FIRST_RANK = 64;
const LAST_RANK = 2048;

/**
 * The format's matrix of that error: from entries with all that `compress` chooses; from products with rank limits that
 * are doubled until none is hit. Throws as `approximateHierarchical`.
 */
export async function reachHierarchical(
  input: Omit<HierarchicalInput, 'leafSize'> & { readonly leafSize?: number | undefined },
  method: HierarchicalMethod,
  { tolerance }: Accuracy,
  control: TeamControl,
): Promise<Approximated> {
  const { operator, source, seed, memoryLimit, leafSize, from } = input;
  requireInput(input, method);
  if (source !== undefined && from !== 'products') {
    const { tree } = input;
    const matrix = await compressEntries(
      source,
      { format: method, tolerance, seed, memoryLimit, leafSize, tree },
      control,
    );
    const { chosen, leafSize: leaves } = matrix.report;
    if (chosen === undefined) return ofMatrix(matrix, { leafSize: leaves });
    const offer = chosenSentences({ ...chosen, incompressible: false, limitedBy: undefined }).join(' ');
    return {
      ...ofMatrix(matrix, { leafSize: leaves }, chosenSentences({ ...chosen, lowRank: undefined })),
      offer: offer === '' ? undefined : offer,
    };
  }
  const tree = input.tree ?? (await lexicographicTree(operator.rows, leafSize ?? FIRST_RANK, control));
  for (let maxRank = FIRST_RANK; ; maxRank *= 2) {
    const options = { format: method as 'hss' | 'hodlr', maxRank, tolerance, seed, memoryLimit };
    const matrix = await compressProducts(operator, tree, options, control);
    const { complete, beyondRank } = matrix.report.products;
    if (complete || beyondRank <= tolerance || maxRank >= LAST_RANK)
      return ofMatrix(matrix, { leafSize: mostInLeaf(tree) });
    matrix.release();
  }
}

/** A matrix of a tolerance as it is; a note where it was missed, and what else is to be said. */
function ofMatrix(
  matrix: HierarchicalMatrix,
  details: Readonly<Record<string, number>>,
  sentences: readonly string[] = [],
): Approximated {
  const { tolerance, origin, met, seen } = matrix.report;
  const missed = met === false ? [`The tolerance was missed: the relative error is about ${seen.toPrecision(2)}.`] : [];
  const note = [...missed, ...sentences].join(' ');
  return {
    ...described(matrix, { ...details, tolerance, rank: largestRank(matrix), from: origin }),
    note: note === '' ? undefined : note,
  };
}

const largestRank = (matrix: HierarchicalMatrix): number => Math.max(0, ...matrix.ranks().map(({ max }) => max));

const described = (matrix: HierarchicalMatrix, details: Readonly<Record<string, number | string>>): Approximated => ({
  operator: matrix,
  bytes: matrix.memory().bytes,
  release: () => {
    matrix.release();
  },
  details,
});

/** Throws OptionError where there is nothing to make the format from. */
function requireInput({ source, from }: Pick<HierarchicalInput, 'source' | 'from'>, method: HierarchicalMethod): void {
  if (method === 'fmm' && source === undefined)
    throw new OptionError("Format 'fmm' needs entries for its near blocks: pass a source, or choose hss or hodlr.", {
      option: 'method',
      method,
    });
  if (from === 'entries' && source === undefined)
    throw new OptionError("A hierarchical matrix from entries needs entries: pass a source, or from: 'products'.", {
      option: 'from',
    });
}

interface Attempt {
  readonly tolerance: number;
  readonly bytes: number;
}

/**
 * The format's most accurate matrix that fits. Throws OptionError naming the least share, and what the compressions
 * throw.
 */
export async function approximateHierarchical(
  input: HierarchicalInput,
  method: HierarchicalMethod,
  budget: Budget,
  control: TeamControl,
): Promise<Approximated> {
  const { operator, source, seed, memoryLimit } = input;
  const size = operator.rows;
  const most = bytesOfBudget(budget, size);
  requireInput(input, method);
  const tree =
    input.tree ??
    (source === undefined || input.from === 'products'
      ? await lexicographicTree(size, input.leafSize, control)
      : undefined);
  const leafSize = tree === undefined ? input.leafSize : mostInLeaf(tree);
  const maxRank = maxRankFor(budget, size, leafSize, memoryLimit ?? availableMemory());
  // A row of the budget holds about twice the rank.
  const rank = Math.min(maxRank, Math.ceil((budget.share * size) / 2));
  const sampledRank = Math.min(maxRank, sampledRankFor(budget, size, method, tree?.depth ?? 1));
  const byProducts =
    method !== 'fmm' &&
    tree !== undefined &&
    (source === undefined ||
      input.from === 'products' ||
      (input.from === 'auto' && preferProducts(tree, method, { entries: rank, products: sampledRank }, input.costs)));
  const looks = byProducts && method === 'hss' ? MOST_WITH_PRODUCTS : MOST_ATTEMPTS;
  const leftover = new Leftover();
  const products = new KeptProducts();
  const make = (tolerance: number): Promise<HierarchicalMatrix> =>
    byProducts
      ? compressProducts(
          operator,
          tree,
          { format: method, maxRank: sampledRank, tolerance, seed, memoryLimit },
          control,
          products,
        )
      : compressEntries(
          source!,
          {
            format: method,
            maxRank,
            tolerance,
            seed,
            memoryLimit,
            leafSize: tree === undefined ? leafSize : undefined,
            tree,
            budget: method === 'fmm' ? budget.share / 3 : undefined,
          },
          control,
          leftover,
        );

  let best: HierarchicalMatrix | undefined;
  const attempts: Attempt[] = [];
  let tolerance = FIRST_TOLERANCE;
  for (;;) {
    const matrix = await make(tolerance);
    const { bytes } = matrix.memory();
    attempts.push({ tolerance, bytes });
    const fits = bytes <= most;
    if (fits && (best === undefined || bytes > best.memory().bytes)) {
      best?.release();
      best = matrix;
    } else matrix.release();
    if (fits && bytes >= FULL * most) break;
    if (attempts.length >= looks + (best === undefined ? MORE_ATTEMPTS : 0)) break;
    const next = nextTolerance(attempts, most);
    if (next === undefined) break;
    tolerance = next;
  }
  if (best === undefined) {
    const least = shareHolding(Math.min(...attempts.map(({ bytes }) => bytes)), size);
    throw new OptionError(
      `No ${method} matrix with leaves of ${leafSize} fits a share of ${percent(budget.share)}: the smallest ` +
        `found takes ${percent(least)}. Raise the share, or choose smaller leaves.`,
      { option: 'share', share: budget.share, least },
    );
  }
  const { report } = best;
  return described(best, {
    leafSize,
    tolerance: report.tolerance,
    rank: largestRank(best),
    from: report.origin,
    compressions: attempts.length,
  });
}

/**
 * A secant step for log bytes over log tolerance towards a budget nearly full; undefined where the tolerance makes no
 * difference any more.
 */
export function nextTolerance(attempts: readonly Attempt[], most: number): number | undefined {
  const aim = Math.log(0.95 * most);
  const points = attempts
    .map(({ tolerance, bytes }) => ({ x: Math.log(tolerance), y: Math.log(bytes) }))
    .sort((a, b) => a.x - b.x);
  const below = points.filter(({ y }) => y <= aim)[0];
  const above = points.filter(({ y }) => y > aim).at(-1);
  let x: number;
  if (below !== undefined && above !== undefined) {
    // Between the two, but not where either was.
    const part = (aim - above.y) / (below.y - above.y);
    x = above.x + Math.min(0.9, Math.max(0.1, part)) * (below.x - above.x);
  } else {
    const known = (below ?? above)!;
    const other = points.length > 1 ? points[below === undefined ? points.length - 2 : 1] : undefined;
    const slope =
      other === undefined ? -POWER : Math.min(-0.1, Math.max(-1.5, (other.y - known.y) / (other.x - known.x)));
    x = known.x + (aim - known.y) / slope;
  }
  const next = Math.min(MOST_TOLERANCE, Math.max(LEAST_TOLERANCE, Math.exp(x)));
  return points.some((point) => Math.abs(point.x - Math.log(next)) < 1e-3) ? undefined : next;
}

/** Indices in the order of the matrix, halved. */
export function lexicographicTree(size: number, leafSize: number, control: TeamControl): Promise<ClusterTree> {
  const indices: EntrySource = {
    size,
    entries: () => undefined,
    diagonal: (out) => {
      out.fill(1);
    },
  };
  return buildClusterTree(indices, 'lexicographic', { leafSize }, control);
}
