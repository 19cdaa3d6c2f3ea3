/**
 * The blocks that a rank stores of a matrix, beside their places in the whole one: what goes there (gather.ts) and what
 * is taken from there (deal.ts).
 */
import { firstLeaf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { diagonalOrder, sharesZeros, type HierarchicalData } from '../matrix/data.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { basisRows } from '../matrix/layout.js';
import { countsFor, holders, type Share } from './share.js';

/** A block of a rank. */
export interface OwnBlock {
  /** Its first element here, and in the whole matrix. */
  readonly here: number;
  readonly there: number;
  readonly length: number;
  /** Whether this rank is the first of those that store it. */
  readonly counts: boolean;
  /** Whether another rank has a part of it, where this one has zeros, and has zeros where this one has its own. */
  readonly isPart: boolean;
}

/** What a rank has, or is to have: all but the numbers. */
type Placed = Pick<HierarchicalData, 'format' | 'tree' | 'lists' | 'skeletons' | 'offsets'>;

/** Calls `act` for each far pair of the whole lists that this rank stores: its number there, and its own. */
export function eachOwnPair(
  own: Pick<HierarchicalData, 'lists'>,
  { lists }: Share,
  act: (there: number, here: number) => void,
): void {
  const { far } = own.lists;
  for (let f = 0, here = 0; 2 * here < far.length; f++)
    if (lists.far[2 * f] === far[2 * here] && lists.far[2 * f + 1] === far[2 * here + 1]) act(f, here++);
}

/** Rows of a matrix that a rank has of its own: `rows` of `all` from `first` on, with so many columns. */
export interface RowsOfAll {
  readonly rows: number;
  readonly all: number;
  readonly first: number;
  readonly cols: number;
}

/** Calls `act` for each run of numbers of such rows, from the matrix's beginning here and there; whether it has all. */
export function eachRun(
  { rows, all, first, cols }: RowsOfAll,
  act: (here: number, there: number, length: number, isWhole: boolean) => void,
): void {
  if (rows === all) act(0, 0, rows * cols, true);
  else if (rows > 0) for (let j = 0; j < cols; j++) act(j * rows, first + j * all, rows, false);
}

/** Calls `act` for each block of a rank, but for couplings that are known to be zero in the whole matrix. */
export function eachOwnBlock(own: Placed, share: Share, whole: Placed, act: (block: OwnBlock) => void): void {
  const { tree, skeletons, offsets } = own;
  const { begin } = skeletons;
  const { held, lists } = share;
  const leaf0 = firstLeaf(tree);
  const leaves = leavesOf(tree);
  const rank = (ν: number): number => begin[ν + 1] - begin[ν];
  const size = (leaf: number): number => tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
  const { nested } = FORMAT_TABLE[own.format];
  for (let ν = 0; ν < nodesOf(tree); ν++)
    if (held[ν] === 1)
      eachRun(
        {
          rows: basisRows(tree, skeletons, nested, ν, share.rows),
          all: basisRows(tree, skeletons, nested, ν),
          first: share.rows.begin[ν] - tree.begin[ν],
          cols: rank(ν),
        },
        (here, there, length, isWhole) =>
          act({
            here: offsets.basis[ν] + here,
            there: whole.offsets.basis[ν] + there,
            length,
            counts: !isWhole || countsFor(share, ν),
            isPart: false,
          }),
      );
  const zero = sharesZeros(whole);
  eachOwnPair(own, share, (f, pair) => {
    const [α, β] = [lists.far[2 * f], lists.far[2 * f + 1]];
    if (zero[f] === 0)
      act({
        here: offsets.coupling[pair],
        there: whole.offsets.coupling[f],
        length: rank(α) * rank(β),
        counts: holders(share, α)[0] === share.rank,
        isPart: false,
      });
  });
  for (let α = 0; α < leaves; α++) {
    // Of another rank's leaf those neighbors stand here that are this one's.
    for (let e = own.lists.nearBegin[α], f = lists.nearBegin[α]; e < own.lists.nearBegin[α + 1]; f++) {
      const β = lists.near[f];
      if (own.lists.near[e] !== β) continue;
      if (β > α)
        act({
          here: offsets.near[e],
          there: whole.offsets.near[f],
          length: size(α) * size(β),
          counts: held[leaf0 + α] === 1,
          isPart: false,
        });
      e++;
    }
  }
  for (let pair = 0; 2 * pair < leaves; pair++) {
    const two = [2 * pair, 2 * pair + 1].filter((leaf) => leaf < leaves);
    const ownLeaves = two.filter((leaf) => held[leaf0 + leaf] === 1);
    const m = diagonalOrder(tree, pair);
    if (ownLeaves.length > 0)
      act({
        here: offsets.diagonal[pair],
        there: whole.offsets.diagonal[pair],
        length: leaves === 1 ? m * m : m * (m + 1),
        counts: true,
        isPart: ownLeaves.length < two.length,
      });
  }
}
