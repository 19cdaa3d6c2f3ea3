/**
 * A matrix that several ranks have, put together on one of them: as one process would have made it, for a file.
 */
import { FileAccessError } from '../../core/errors.js';
import { sharedFloats, type FloatArray } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Communicator } from '../../distributed/communicator.js';
import { firstLeaf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { diagonalOrder, sharesZeros, type HierarchicalData, type Skeletons } from '../matrix/data.js';
import { basisRows, placeBlocks, type Layout } from '../matrix/layout.js';
import { countsFor, holders, type Share } from './share.js';

/** The rank that gets all blocks. */
export const ROOT = 0;
/** Numbers of a message at most. */
const MESSAGE = 2 ** 20;
const TAG = 1;
/** Numbers that tell of a block. */
const BLOCK = 4;

/** The whole matrix; its `values` are on rank ROOT alone. */
export interface Gathered {
  readonly data: HierarchicalData;
  readonly elements: Layout['elements'];
}

/** Collective. Every block goes to the root once; orders and ranks, O(N) numbers, to all ranks. */
export function gatherMatrix(data: HierarchicalData, share: Share, communicator: Communicator): Gathered {
  const { tree, dtype, format } = data;
  const { lists } = share;
  const skeletons = gatherSkeletons(data, share, communicator);
  const zero = gatherZeros(data, share, communicator);
  const { offsets, elements } = placeBlocks(tree, lists, skeletons, true, { zero });
  const values = sharedFloats(communicator.rank === ROOT ? elements.total : 0, dtype);
  const whole = { format, dtype, tree, lists, skeletons, offsets, values };
  gatherBlocks(ownBlocks(data, share, whole), data.values, values, communicator);
  return { data: whole, elements };
}

/** Skeletons of all nodes, from the first rank that holds each. */
function gatherSkeletons({ skeletons }: HierarchicalData, share: Share, communicator: Communicator): Skeletons {
  const { skeletonRanks } = share;
  const nodes = skeletonRanks.length;
  const begin = sharedInt32(nodes + 1);
  for (let ν = 0; ν < nodes; ν++) begin[ν + 1] = begin[ν] + skeletonRanks[ν];
  const [indices, gather] = [sharedInt32(begin[nodes]), sharedInt32(begin[nodes])];
  const picked = sharedInt32(nodes);
  for (let ν = 0; ν < nodes; ν++) {
    if (!countsFor(share, ν)) continue;
    const [first, end] = [skeletons.begin[ν], skeletons.begin[ν + 1]];
    indices.set(skeletons.indices.subarray(first, end), begin[ν]);
    gather.set(skeletons.gather.subarray(first, end), begin[ν]);
    picked[ν] = skeletons.picked[ν];
  }
  for (const numbers of [indices, gather, picked]) communicator.allreduce(numbers, 'sum');
  return { begin, indices, gather, picked };
}

/** Calls `act` for each far pair of the whole lists that this rank stores: its number there, and its own. */
function eachOwnPair({ lists: own }: HierarchicalData, { lists }: Share, act: (f: number, own: number) => void): void {
  for (let f = 0, mine = 0; 2 * mine < own.far.length; f++) {
    if (lists.far[2 * f] !== own.far[2 * mine] || lists.far[2 * f + 1] !== own.far[2 * mine + 1]) continue;
    act(f, mine++);
  }
}

/** 1 for each far pair of the whole lists whose coupling is known to be zero. */
function gatherZeros(data: HierarchicalData, share: Share, communicator: Communicator): Int32Array {
  const zero = sharedInt32(share.lists.far.length / 2);
  const own = sharesZeros(data);
  eachOwnPair(data, share, (f, mine) => {
    zero[f] = own[mine];
  });
  communicator.allreduce(zero, 'max');
  return zero;
}

/**
 * Four numbers a block: where it stands here, where in the whole matrix, how long it is, and 1 where another rank has a
 * part of it, too.
 */
function ownBlocks(data: HierarchicalData, share: Share, whole: Omit<HierarchicalData, 'values'>): number[] {
  const { tree, skeletons, offsets, lists: own } = data;
  const { lists } = share;
  const { begin } = skeletons;
  const leaf0 = firstLeaf(tree);
  const blocks: number[] = [];
  const rank = (ν: number): number => begin[ν + 1] - begin[ν];
  const size = (leaf: number): number => tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
  for (let ν = 0; ν < nodesOf(tree); ν++)
    if (countsFor(share, ν))
      blocks.push(offsets.basis[ν], whole.offsets.basis[ν], basisRows(tree, skeletons, true, ν) * rank(ν), 0);
  const zero = sharesZeros(whole);
  eachOwnPair(data, share, (f, mine) => {
    const [α, β] = [lists.far[2 * f], lists.far[2 * f + 1]];
    if (holders(share, α)[0] === share.rank && zero[f] === 0)
      blocks.push(offsets.coupling[mine], whole.offsets.coupling[f], rank(α) * rank(β), 0);
  });
  for (let α = 0; α < leavesOf(tree); α++) {
    if (share.held[leaf0 + α] === 0) continue;
    // A leaf of one's own has all its neighbors, here as there.
    for (let e = own.nearBegin[α], f = lists.nearBegin[α]; e < own.nearBegin[α + 1]; e++, f++)
      if (own.near[e] > α) blocks.push(offsets.near[e], whole.offsets.near[f], size(α) * size(own.near[e]), 0);
  }
  for (let leaf = 0; leaf < leavesOf(tree); leaf++) {
    // Two leaves share a rectangle; where they are of two ranks, each has zeros in the place of the other's.
    const [q, other] = [leaf >> 1, leaf ^ 1];
    const isOthers = other < leavesOf(tree) && share.held[leaf0 + other] === 0;
    if (share.held[leaf0 + leaf] === 0 || ((leaf & 1) === 1 && !isOthers)) continue;
    const m = diagonalOrder(tree, q);
    const length = tree.depth === 0 ? m * m : m * (m + 1);
    blocks.push(offsets.diagonal[q], whole.offsets.diagonal[q], length, isOthers ? 1 : 0);
  }
  return blocks;
}

/** Every rank's blocks to the root's `to`, zero before, in messages of at most MESSAGE numbers. */
function gatherBlocks(blocks: readonly number[], from: FloatArray, to: FloatArray, communicator: Communicator): void {
  const { rank, size } = communicator;
  if (rank !== ROOT) {
    const list = Float64Array.from(blocks);
    communicator.send(Float64Array.of(list.length), ROOT, TAG);
    communicator.send(list, ROOT, TAG);
    eachMessage(list, (pieces, length) => {
      const message = likeOf(from, length);
      pieces.forEach(({ here, count, at }) => message.set(from.subarray(here, here + count) as never, at));
      communicator.send(message, ROOT, TAG);
    });
    return;
  }
  const put = (there: number, values: FloatArray, adds: boolean): void => {
    if (adds) for (let k = 0; k < values.length; k++) to[there + k] += values[k];
    else to.set(values as never, there);
  };
  for (let b = 0; b < blocks.length; b += BLOCK)
    put(blocks[b + 1], from.subarray(blocks[b], blocks[b] + blocks[b + 2]), blocks[b + 3] === 1);
  for (let r = 0; r < size; r++) {
    if (r === ROOT) continue;
    const length = new Float64Array(1);
    communicator.receive(length, r, TAG);
    const list = new Float64Array(length[0]);
    communicator.receive(list, r, TAG);
    eachMessage(list, (pieces, numbers) => {
      const message = likeOf(to, numbers);
      communicator.receive(message, r, TAG);
      pieces.forEach(({ there, count, at, adds }) => put(there, message.subarray(at, at + count), adds));
    });
  }
}

/** `length` zeros in the precision of others. */
const likeOf = (others: FloatArray, length: number): FloatArray =>
  others instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);

/** A part of a block: where it stands on either side, how long it is, and where it stands in its message. */
interface Piece {
  readonly here: number;
  readonly there: number;
  readonly count: number;
  readonly at: number;
  readonly adds: boolean;
}

/** Cuts blocks into messages; both sides do it alike. */
function eachMessage(list: Float64Array, act: (pieces: readonly Piece[], length: number) => void): void {
  let pieces: Piece[] = [];
  let length = 0;
  const send = (): void => {
    if (length > 0) act(pieces, length);
    pieces = [];
    length = 0;
  };
  for (let b = 0; b < list.length; b += BLOCK) {
    for (let done = 0; done < list[b + 2];) {
      const count = Math.min(list[b + 2] - done, MESSAGE - length);
      pieces.push({ here: list[b] + done, there: list[b + 1] + done, count, at: length, adds: list[b + 3] === 1 });
      length += count;
      done += count;
      if (length === MESSAGE) send();
    }
  }
  send();
}

/** What all ranks call when the root has written a file, or not: then it throws FileAccessError on the others. */
export const toldByRoot =
  (communicator: Communicator): ((written: boolean) => void) =>
  (written) => {
    const told = Int32Array.of(written ? 1 : 0);
    communicator.broadcast(told, ROOT);
    if (told[0] === 0 && communicator.rank !== ROOT)
      throw new FileAccessError(`Rank ${ROOT} could not write the file, and says why.`, {});
  };
