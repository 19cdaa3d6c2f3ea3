/**
 * A matrix that several ranks have, put together on one of them: as one process would have made it, for a file.
 */
import { FileAccessError } from '../../core/errors.js';
import { floats, precisionOf, sharedFloats, type FloatArray } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Communicator } from '../../distributed/communicator.js';
import type { HierarchicalData, Skeletons } from '../matrix/data.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { placeBlocks, type Layout } from '../matrix/layout.js';
import { eachOwnBlock } from './own-blocks.js';
import { countsFor, type Share } from './share.js';
import { wholeOrder } from './whole.js';

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
  wholeOrder(data, communicator);
  const { lists, begin, offsets, elements } = gatherOutline(data, share, communicator);
  const skeletons = gatherSkeletons(data, share, begin, communicator);
  const values = sharedFloats(communicator.rank === ROOT ? elements.total : 0, dtype);
  const whole = { format, dtype, tree, lists, skeletons, offsets, values };
  gatherBlocks(listedBlocks(data, share, whole), data.values, values, communicator);
  return { data: whole, elements };
}

/** Where the blocks of the whole matrix stand. */
export interface Outline {
  readonly lists: HierarchicalData['lists'];
  /** As `begin` of the skeletons. */
  readonly begin: Int32Array;
  readonly offsets: HierarchicalData['offsets'];
  readonly elements: Layout['elements'];
}

/** The outline of a matrix that several ranks have. Collective: one number for each far pair. */
export function gatherOutline({ tree, format }: HierarchicalData, share: Share, communicator: Communicator): Outline {
  const { skeletonRanks, lists, zeroPairs } = share;
  const begin = sharedInt32(skeletonRanks.length + 1);
  for (let ν = 0; ν < skeletonRanks.length; ν++) begin[ν + 1] = begin[ν] + skeletonRanks[ν];
  const zero = zeroPairs.slice();
  communicator.allreduce(zero, 'max');
  return { lists, begin, ...placeBlocks(tree, lists, { begin }, FORMAT_TABLE[format].nested, { zero }) };
}

/** Skeletons of all nodes, from the first rank that holds each. */
function gatherSkeletons(
  { skeletons }: HierarchicalData,
  share: Share,
  begin: Int32Array,
  communicator: Communicator,
): Skeletons {
  const nodes = begin.length - 1;
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

/** Four numbers for each block that counts here: where it stands here and there, its length, and 1 for a part. */
function listedBlocks(data: HierarchicalData, share: Share, whole: HierarchicalData): number[] {
  const blocks: number[] = [];
  eachOwnBlock(data, share, whole, ({ here, there, length, counts, isPart }) => {
    if (counts) blocks.push(here, there, length, isPart ? 1 : 0);
  });
  return blocks;
}

/**
 * Every rank's blocks to the root's `to`, zero before, in messages of at most MESSAGE numbers: four numbers a block,
 * where it stands here and there, its length, and 1 for what is to be added. Collective.
 */
export function gatherBlocks(
  blocks: readonly number[],
  from: FloatArray,
  to: FloatArray,
  communicator: Communicator,
): void {
  const { rank, size } = communicator;
  if (rank !== ROOT) {
    const list = Float64Array.from(blocks);
    communicator.send(Float64Array.of(list.length), ROOT, TAG);
    communicator.send(list, ROOT, TAG);
    eachMessage(list, (pieces, length) => {
      const message = floats(length, precisionOf(from));
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
      const message = floats(numbers, precisionOf(to));
      communicator.receive(message, r, TAG);
      pieces.forEach(({ there, count, at, adds }) => put(there, message.subarray(at, at + count), adds));
    });
  }
}

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
