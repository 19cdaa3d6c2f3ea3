/**
 * What skeletonization reads, and what it finds.
 */
import type { Precision } from '../../dense/matrix.js';
import type { SourceHandle } from '../../source/share-source.js';
import type { RowSamplerState, RowsOfLeaves } from './row-sampler.js';
import type { SplitMemory } from './split-sample.js';
import type { GivenVotes } from './votes.js';

/** So many of the nearest neighbors of a candidate, at most, may be rows that it is coupled to unnoticed. */
export const PARTNERS = 8;

/** What several ranks tell each other of a node near the root, for which each lacks lists of neighbors. */
export interface SharedNode {
  readonly votes: GivenVotes;
  /** The nearest neighbors of each candidate, min(κ, PARTNERS) of them, and their leaves. */
  readonly partners: RowsOfLeaves;
}

/** What skeletonization reads and writes. */
export interface SkeletonState extends RowSamplerState {
  readonly source: SourceHandle;
  readonly maxRank: number;
  readonly leafSize: number;
  readonly seed: number;
  /** Interpolations that keep K̃ positive semidefinite in storage of this precision (definite-interpolation.ts). */
  readonly preserve: Precision | undefined;
  /** t²·‖K‖_F²/(2·levels·N): a node's squared threshold is this times its size. */
  readonly thresholdPerIndex: number;
  /** 1 where a far pair of the node or of an ancestor needs a basis. */
  readonly needed: Int32Array;
  /**
   * Results, slot ν: maxRank entries each. `choice` numbers the candidates, `skeletons` are indices, `amplification`
   * their d_j.
   */
  readonly ranks: Int32Array;
  readonly choice: Int32Array;
  readonly skeletons: Int32Array;
  readonly amplification: Float64Array;
  /** Tᵀ, redundant × rank, from element slotBegin[ν] of `slots`. */
  readonly slotBegin: Float64Array;
  readonly slots: Float64Array;
  /** Estimated ‖K(outside, ν) − interpolated‖_F², the variance of that, and how often the node was decomposed. */
  readonly missed: Float64Array;
  readonly variance: Float64Array;
  readonly attempts: Int32Array;
  /** The rank that is forecast for leaves, 0 as long as none is known; and 1 where ranks are low and even. */
  readonly forecast: Int32Array;
  /** Only ranks are asked for, and every node is skeletonized from all of its indices (rank-pilot.ts). */
  readonly ranksOnly: boolean;
  /** 1 for nodes that are done. */
  readonly done: Int32Array;
  /** Where large nodes are worked on by several workers; absent where none is so large. */
  readonly split?: SplitMemory | undefined;
}

/** The same without the source of entries, which may be another one for other nodes (held-entries.ts). */
export type Skeletons = Omit<SkeletonState, 'source'>;

/** The indices of a node's skeleton, in pivot order. */
export const skeletonOf = (
  { skeletons, ranks, maxRank }: Pick<SkeletonState, 'skeletons' | 'ranks' | 'maxRank'>,
  ν: number,
): Int32Array => skeletons.subarray(ν * maxRank, ν * maxRank + ranks[ν]);
