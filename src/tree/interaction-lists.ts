/**
 * Near and far lists: which blocks are stored dense and which through skeletons.
 */

/**
 * `near` lists, leaf by leaf (leaves numbered 0 … 2^depth − 1, left to right, in CSR form), the leaves whose blocks are
 * dense, ascending, the leaf itself included; it is symmetric. `far` holds unordered pairs of nodes (α, β), α < β, two
 * entries a pair, whose block and its transpose go through skeletons. Every ordered pair of leaves is covered exactly
 * once by near ∪ far ∪ farᵀ.
 */
export interface InteractionLists {
  readonly nearBegin: Int32Array;
  readonly near: Int32Array;
  readonly far: Int32Array;
  /** Share of the N² entries that the near blocks hold, diagonal blocks excluded. */
  readonly budgetUsed: number;
}
