/**
 * Sums of slices' vectors by groups, a piece at a time: what is being added stays in the cache.
 */
import type { FloatArray } from '../../core/floats.js';
import { leafSteps, sumPlaces, type SumNode } from '../../core/sum-tree.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { parameterBlocks } from '../objective/slices.js';
import { graphGroups, graphGroupSlice } from '../../layers/groups.js';

/** Numbers of a piece: 256 KiB in float32. */
const PIECE = 2 ** 16;

/** Numbers that a worker adds groups in, of batches of so many slices: what `sumSlices` takes as its scratch. */
export function sumNumbers(network: ParameterLayout, slices: number): number {
  const longest = Math.max(...parameterBlocks(network).map(({ length }) => length));
  return (sumPlaces(graphGroups(slices)) - 1) * Math.min(PIECE, longest);
}

/** Slices' vectors, and the node of groups of all `slices` that is asked for. */
export interface SliceVectors {
  readonly slices: number;
  readonly node: SumNode;
  readonly of: (slice: number) => FloatArray;
}

/** out ← the sum over a node's slices; out may be the vector of the first of them. */
export function sumSlices(
  kernels: VectorKernels,
  { slices, node, of }: SliceVectors,
  scratch: FloatArray,
  out: FloatArray,
): void {
  for (let at = 0; at < out.length; at += PIECE) {
    const length = Math.min(PIECE, out.length - at);
    const places = Array.from({ length: sumPlaces(node.count) }, (_, place) =>
      place === 0 ? out.subarray(at, at + length) : scratch.subarray((place - 1) * length, place * length),
    );
    for (const { leaf, place, adds } of leafSteps(node)) {
      const [first, end] = [graphGroupSlice(slices, leaf), graphGroupSlice(slices, leaf + 1)];
      for (let s = first; s < end; s++) {
        const from = of(s).subarray(at, at + length);
        if (from.byteOffset !== places[place].byteOffset)
          kernels.combine(length, 1, from, s === first ? 0 : 1, places[place]);
      }
      for (const to of adds) kernels.combine(length, 1, places[to + 1], 1, places[to]);
    }
  }
}
