/**
 * Index types.
 * An *index* numbers a row of the caller's matrix; a *position* numbers a row in tree order: order[position] = index.
 */

/** Rows or columns of the caller's matrix, in the caller's numbering. */
export type Indices = Int32Array;

declare const node: unique symbol;
/** A node of a complete binary tree in heap numbering: root 0, children 2ν + 1 and 2ν + 2. */
export type NodeId = number & { readonly [node]?: true | undefined };

/** Node above ν; the root (0) has none: −1. */
export const parentOf = (ν: NodeId): NodeId => (ν - 1) >> 1;
/** Left node below ν; it may lie below the leaves. */
export const leftChild = (ν: NodeId): NodeId => 2 * ν + 1;
/** Right node below ν, the sibling of the left one. */
export const rightChild = (ν: NodeId): NodeId => 2 * ν + 2;
/** First node of a level; level ℓ holds nodes 2^ℓ − 1 … 2^{ℓ+1} − 2. */
export const firstOfLevel = (level: number): NodeId => 2 ** level - 1;
/** Edges between ν and the root: ⌊log₂(ν + 1)⌋. */
export const levelOf = (ν: NodeId): number => 31 - Math.clz32(ν + 1);
