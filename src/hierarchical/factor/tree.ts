/**
 * What every factorization needs of the tree: sibling pairs and their couplings, and subtrees as tasks.
 */
import { OptionError } from '../../core/errors.js';
import { leftChild, rightChild } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { firstLeaf, isolatedOf, leavesOf, nodesOf, type ClusterTree } from '../../tree/cluster-tree.js';
import { diagonalOrder, type HierarchicalData } from '../matrix/data.js';
import { hasFirst, type Dealing } from '../ranks/share.js';

/**
 * Subtrees rooted so many levels below what a process holds whole are one task each: enough of them for many workers,
 * few enough that a small node's task costs more than its hand-over.
 */
const SUBTREE_LEVEL = 6;

/** A matrix's tree, and where several ranks have it, this one's share. */
export type SharedTree = Pick<HierarchicalData, 'tree' | 'share'>;

/** How deep the tree is, and the level whose nodes ranks share. */
export interface ShareOfTree {
  readonly tree: Pick<ClusterTree, 'depth'>;
  readonly share?: Pick<Dealing, 'level'> | undefined;
}

/** The level whose nodes are each one task with all that lies below them: as many on every rank as on one alone. */
export const subtreeRootLevel = ({ tree, share }: ShareOfTree): number =>
  Math.min(tree.depth, (share?.level ?? 0) + SUBTREE_LEVEL);

/** A node near the root is split where it has more candidates than this. */
export const SPLIT_FROM = 512;

/** Nodes above this level may be cut into several tasks, whoever holds them: other bits than of whole ones. */
export const splitLevel = ({ depth }: Pick<ClusterTree, 'depth'>): number => Math.min(depth, SUBTREE_LEVEL);

/** Nodes that are tasks: those of levels 0 … subtreeRootLevel. */
export const taskNodes = (shared: SharedTree): number => 2 ** (subtreeRootLevel(shared) + 1) - 1;

/**
 * Calls `act` for the nodes of task `ν`, children before parents: ν alone above the subtree level, else its whole
 * subtree.
 */
export function walkUp(shared: SharedTree, ν: number, act: (ν: number) => void): void {
  if (ν < (taskNodes(shared) - 1) / 2) act(ν);
  else visitUp(firstLeaf(shared.tree), ν, act);
}

function visitUp(leaf0: number, ν: number, act: (ν: number) => void): void {
  if (ν < leaf0) {
    visitUp(leaf0, leftChild(ν), act);
    visitUp(leaf0, rightChild(ν), act);
  }
  act(ν);
}

/** As `walkUp`, parents before children. */
export function walkDown(shared: SharedTree, ν: number, act: (ν: number) => void): void {
  if (ν < (taskNodes(shared) - 1) / 2) act(ν);
  else visitDown(firstLeaf(shared.tree), ν, act);
}

function visitDown(leaf0: number, ν: number, act: (ν: number) => void): void {
  act(ν);
  if (ν < leaf0) {
    visitDown(leaf0, leftChild(ν), act);
    visitDown(leaf0, rightChild(ν), act);
  }
}

/**
 * The coupling of a left child and its sibling: pairOf[left] is the number of their far pair. Throws OptionError unless
 * the far pairs are exactly the siblings and no block off the diagonal is near: only such a matrix has a recursive
 * factorization.
 */
export function siblingPairs({ tree, lists, format, share }: HierarchicalData): Int32Array {
  const { far } = lists;
  // Of several ranks all refuse what any of them would: none waits for one that has left.
  const { near } = share?.lists ?? lists;
  const refuse = (what: string): never => {
    throw new OptionError(
      `A matrix of format '${format}' with ${what} has no direct factorization: compress with format 'hss' (or ` +
        `'hodlr'), factor that, and solve with the matrix at hand by conjugate gradients preconditioned with the ` +
        'factorization.',
      { format, near: near.length, far: far.length / 2 },
    );
  };
  if (near.length !== leavesOf(tree)) refuse(`${(near.length - leavesOf(tree)) / 2} near blocks off the diagonal`);
  const nodes = nodesOf(tree);
  const pairOf = sharedInt32(nodes).fill(-1);
  for (let f = 0; f < far.length / 2; f++) {
    const left = far[2 * f];
    if ((left & 1) === 0 || far[2 * f + 1] !== left + 1 || pairOf[left] >= 0)
      refuse(`a far pair (${left}, ${far[2 * f + 1]}) that is not a pair of siblings`);
    pairOf[left] = f;
  }
  return pairOf;
}

/** out[i] ← value for each isolated index i, of several ranks on the one that has the first rows. */
export function setIsolated(out: Float64Array, { tree, share }: SharedTree, value: number): void {
  if (share !== undefined && !hasFirst(tree, share)) return;
  for (let position = 0; position < isolatedOf(tree); position++) out[tree.order[position]] = value;
}

/** Where the diagonal block of leaf ν stands, and which of its triangles: the other one belongs to the sibling. */
export function leafDiagonal(
  { tree, offsets, values }: HierarchicalData,
  ν: number,
): { readonly a: Matrix; readonly uplo: 'L' | 'U' } {
  const leaf = ν - firstLeaf(tree);
  const m = diagonalOrder(tree, leaf >> 1);
  const n = tree.end[ν] - tree.begin[ν];
  const upper = (leaf & 1) === 1;
  return { a: view(values, offsets.diagonal[leaf >> 1] + (upper ? m : 0), n, n, m), uplo: upper ? 'U' : 'L' };
}

/**
 * The numbers of a block by themselves, for loops over small whole numbers: places in a large array are no such, and
 * cost several times as much.
 */
export const part = (data: FloatArray, at: number, length: number): FloatArray => data.subarray(at, at + length);

/** A leaf's diagonal block by itself: its entries, their leading dimension and the triangle. */
export interface LeafEntries {
  readonly from: FloatArray;
  readonly ld: number;
  readonly uplo: 'L' | 'U';
}

/** The diagonal block of leaf ν by itself. */
export function leafEntries(data: HierarchicalData, ν: number): LeafEntries {
  const { a, uplo } = leafDiagonal(data, ν);
  // It shares its columns with its sibling's: it ends with its own last number.
  return { from: part(a.data, a.offset, a.rows === 0 ? 0 : (a.rows - 1) * (a.ld + 1) + 1), ld: a.ld, uplo };
}

const TILE = 32;

/** Lower triangle of order n in `out`, contiguous, from a leaf's diagonal block, entries `at` … */
export function copyTriangle(out: FloatArray, n: number, { from: a, ld, uplo }: LeafEntries, at: number): void {
  if (uplo === 'L') for (let j = 0; j < n; j++) copyRun(out, j + j * n, a, at + j + j * ld, n - j);
  // Rows of the lower triangle are columns of the upper one; by panels, so that the lines written stay in cache.
  else {
    for (let i0 = 0; i0 < n; i0 += TILE) {
      const i1 = Math.min(i0 + TILE, n);
      for (let j = 0; j < i1; j++)
        for (let i = Math.max(i0, j), from = at + j + i * ld, to = i + j * n; i < i1; i++, from += ld, to++)
          out[to] = a[from];
    }
  }
}

/** out(to … to + count) ← a(from … from + count): faster than TypedArray.set for short runs; precisions may differ. */
export function copyRun(out: FloatArray, to: number, a: FloatArray, from: number, count: number): void {
  for (let i = 0; i < count; i++) out[to + i] = a[from + i];
}

/** out ← aᵀ, in tiles; precisions may differ. */
export function transposeBlock(
  { data: out, offset: outAt, ld: outLd }: Matrix,
  { data: a, offset: at, ld, rows, cols }: Matrix,
): void {
  for (let j0 = 0; j0 < cols; j0 += TILE) {
    const j1 = Math.min(j0 + TILE, cols);
    for (let i0 = 0; i0 < rows; i0 += TILE) {
      const i1 = Math.min(i0 + TILE, rows);
      for (let j = j0; j < j1; j++)
        for (let i = i0, from = at + i0 + j * ld, to = outAt + j + i0 * outLd; i < i1; i++, from++, to += outLd)
          out[to] = a[from];
    }
  }
}
