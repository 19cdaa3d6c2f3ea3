import type { Communicator } from '#hmatrix/distributed/communicator.js';

/** Parts of `length` numbers, in float32 where `single`. */
export interface TreeSum {
  readonly length: number;
  readonly single: boolean;
  readonly seed: number;
}
export declare function numberOf(seed: number, slice: number, k: number): number;
export declare function wholeSum(slices: number, one: TreeSum): Float64Array | Float32Array;
export declare function sumOverRanks(
  world: Communicator,
  one: TreeSum & { readonly counts: readonly number[]; readonly exchange: number },
): Float64Array | Float32Array;
