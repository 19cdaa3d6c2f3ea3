/**
 * The error of each far block by itself: columns of K, a few of each leaf, against those of K̃.
 *
 *   ‖(K − K̃)(α, J)‖_F/‖K(α, J)‖_F,   J the drawn columns of β, of each far pair (α, β)
 */
import { requireWhole } from '../../core/checks.js';
import { requireControl, throwIfAborted, type RunControl } from '../../core/context.js';
import { ShapeError } from '../../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { RandomStream } from '../../core/random.js';
import { zeros, type Matrix } from '../../dense/matrix.js';
import { frobeniusNorm } from '../../dense/norm.js';
import { holding, requireSource, type EntrySource } from '../../source/entry-source.js';
import { firstLeaf, leavesOf, type ClusterTree } from '../../tree/cluster-tree.js';
import { sampleWithoutReplacement } from '../measure/error-estimate.js';
import { leavesBelow } from './block-structure.js';
import type { HierarchicalMatrix } from './hierarchical-matrix.js';

/** Options of {@link blockErrors}. */
export interface BlockErrorOptions {
  /** Columns of each leaf that are compared. Default 2. */
  readonly columns?: number | undefined;
  /** Default 0. Seeds which. */
  readonly seed?: number | undefined;
}
const BLOCK_ERROR_KEYS: KeysOf<BlockErrorOptions> = { columns: 'number', seed: 'number' };

const COLUMNS = 2;
const STREAM = 0xb10c;

/** The far pair that holds each pair of leaves, leaves × leaves; −1 where their block is stored as it is. */
function farPairs(tree: ClusterTree, far: ArrayLike<number>): Int32Array {
  const leaves = leavesOf(tree);
  const pairs = new Int32Array(leaves * leaves).fill(-1);
  for (let f = 0; 2 * f < far.length; f++) {
    const [α, β] = [leavesBelow(far[2 * f], leaves), leavesBelow(far[2 * f + 1], leaves)];
    for (let a = α.first; a < α.last; a++)
      for (let b = β.first; b < β.last; b++) pairs[a * leaves + b] = pairs[b * leaves + a] = f;
  }
  return pairs;
}

/** ‖·‖_F of what was seen of each far pair, of K and of K − K̃. */
interface Sums {
  readonly exact: Float64Array;
  readonly difference: Float64Array;
}

/** Adds what N × c columns of one leaf (rows in tree order) show of the blocks that they cross. */
function addColumns(
  tree: ClusterTree,
  pairs: Int32Array,
  leaf: number,
  { exact, difference }: { readonly exact: Matrix; readonly difference: Matrix },
  sums: Sums,
): void {
  const leaves = leavesOf(tree);
  for (let a = 0; a < leaves; a++) {
    const f = pairs[a * leaves + leaf];
    if (f < 0) continue;
    const ν = firstLeaf(tree) + a;
    const part = ({ data, cols, ld }: Matrix): number =>
      frobeniusNorm({ data, offset: tree.begin[ν], rows: tree.end[ν] - tree.begin[ν], cols, ld });
    sums.exact[f] = Math.hypot(sums.exact[f], part(exact));
    sums.difference[f] = Math.hypot(sums.difference[f], part(difference));
  }
}

/**
 * The relative error of each far pair (in the order of `blockStructure`), null where the columns that were drawn of K
 * are zero there. An estimate from a few columns. Cost: `columns` entries for each row and leaf, evaluated on the
 * calling thread, and as many products; where several ranks have the matrix every one evaluates all, and all call it.
 * The same seed gives the same numbers. Throws OptionError, ShapeError, AbortedError, what the source throws.
 */
export async function blockErrors(
  matrix: HierarchicalMatrix,
  source: EntrySource,
  options: BlockErrorOptions = {},
  control: RunControl = {},
): Promise<(number | null)[]> {
  requireSource(source, 'blockErrors');
  requireKnownOptions(options, BLOCK_ERROR_KEYS, 'blockErrors');
  requireControl(control, 'blockErrors');
  const { columns = COLUMNS, seed = 0 } = options;
  requireWhole(columns, 'columns', 1);
  const { size, data } = matrix;
  if (source.size !== size)
    throw new ShapeError(`The source has ${source.size} rows, the matrix ${size}.`, { source: source.size, size });
  const { share } = data;
  const tree = matrix.wholeTree();
  // Every rank evaluates all rows, and holds all points for that.
  const entries = await holding(source, () => [tree.order]);
  const { lists } = share ?? data;
  const pairs = farPairs(tree, lists.far);
  const count = lists.far.length / 2;
  const sums: Sums = { exact: new Float64Array(count), difference: new Float64Array(count) };
  const leaves = leavesOf(tree);
  for (let leaf = 0; leaf < leaves; leaf++) {
    // Columns are synchronous: let signals in between them.
    await new Promise(setImmediate);
    throwIfAborted(control.signal);
    const ν = firstLeaf(tree) + leaf;
    const places = sampleWithoutReplacement(tree.end[ν] - tree.begin[ν], columns, new RandomStream(seed, STREAM, leaf));
    const drawn = places.map((place) => tree.order[tree.begin[ν] + place]);
    const exact = zeros(size, drawn.length);
    entries.entries(tree.order, drawn, exact);
    const units = zeros(size, drawn.length);
    drawn.forEach((j, t) => {
      units.data[j + t * size] = 1;
    });
    const product = matrix.apply(units);
    const difference = zeros(size, drawn.length);
    for (let t = 0; t < drawn.length; t++)
      for (let p = 0; p < size; p++)
        difference.data[p + t * size] = exact.data[p + t * size] - product.data[tree.order[p] + t * size];
    addColumns(tree, pairs, leaf, { exact, difference }, sums);
    control.onProgress?.({ phase: 'compare blocks', done: leaf + 1, total: leaves });
  }
  source.parts?.letGo();
  return Array.from(sums.exact, (exact, f) => (exact > 0 ? sums.difference[f] / exact : null));
}
