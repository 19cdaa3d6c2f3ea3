/**
 * Passes of a factorization over blocks of vectors: into tree order, upward, downward, back.
 *
 * With K̃ + λI = F·Fᵀ, a solve is an upward pass (F⁻¹) and a downward one (F⁻ᵀ); F itself and F⁻ᵀ alone are downward
 * passes. Vectors stand transposed inside (p × N, the p values of an index contiguous), as in
 * hierarchical/matrix/apply.ts. A task writes only its nodes' values and sums in a fixed order: every team size gives
 * the same bits.
 */
import { parentOf } from '../../core/indices.js';
import type { Blas } from '../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { substituteRight } from '../../dense/substitution.js';
import type { TaskBody } from '../../parallel/task.js';
import { taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import { isolatedOf, type ClusterTree } from '../../tree/cluster-tree.js';
import { taskNodes, walkDown, walkUp } from './tree.js';
import { PANEL, passNumbers, transposeIn, transposeOut } from '../matrix/transposed-vectors.js';

/** solve: F⁻ᵀF⁻¹; factor: F; inverse factor: F⁻ᵀ. The latter two take vectors in the factor's own order. */
export type PassKind = 'solve' | 'factor' | 'inverse factor';

/** out ← α·(pass of x) + β·out, p columns, both over shared memory; out may be x. */
export interface PassArguments {
  readonly kind: PassKind;
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
}

/** Room for `width` vectors; a pass with p of them uses the first p·N numbers of each. */
export interface PassVectors {
  readonly width: number;
  /** Columns in the caller's order: incoming before the upward pass, outgoing after the downward one. */
  readonly staging: FloatArray;
  /** Columns in the factor's order. */
  readonly ordered: FloatArray;
}

/** A factorization's work at a node, with p vectors. */
export interface NodePass {
  up(ν: number, p: number): void;
  down(ν: number, p: number, kind: PassKind): void;
  /** Isolated indices, whose rows are λ·I. */
  isolated(p: number, kind: PassKind): void;
}

/** Tasks ν (upward) and nodes + ν (downward), the transpositions around them and two joints. */
export function passGraph(tree: ClusterTree): TaskGraph {
  const { nodes, panels, panelIn, panelOut, began, ended } = passNumbers(taskNodes(tree), tree.size);
  const roots = (nodes - 1) / 2;
  const edges: number[] = [];
  for (let panel = 0; panel < panels; panel++) edges.push(panelIn + panel, began, ended, panelOut + panel);
  for (let ν = roots; ν < nodes; ν++) edges.push(began, ν, nodes + ν, ended);
  for (let ν = 1; ν < nodes; ν++) edges.push(ν, parentOf(ν), nodes + parentOf(ν), nodes + ν);
  edges.push(0, nodes);
  return taskGraph(ended + 1, edges);
}

/** Runs tasks of `passGraph`. */
export function passBody(
  tree: ClusterTree,
  { staging, ordered }: PassVectors,
  pass: NodePass,
): TaskBody<PassArguments> {
  const { nodes, panelIn, panelOut, began } = passNumbers(taskNodes(tree), tree.size);
  let p = 0;
  let kind: PassKind = 'solve';
  const up = (ν: number): void => pass.up(ν, p);
  const down = (ν: number): void => pass.down(ν, p, kind);
  return (task, args) => {
    p = args.x.cols;
    kind = args.kind;
    if (task < nodes) {
      if (kind === 'solve') walkUp(tree, task, up);
    } else if (task < 2 * nodes) {
      walkDown(tree, task - nodes, down);
      if (task === nodes) pass.isolated(p, kind);
    } else if (task < panelOut) transposeIn((task - panelIn) * PANEL, args.x, kind === 'solve' ? staging : ordered);
    else if (task < began) transposeOut((task - panelOut) * PANEL, args.out, args.alpha, args.beta, staging);
  };
}

/** The isolated indices' part of a pass: scaled by 1/λ, √λ or 1/√λ. */
export function passIsolated(
  tree: ClusterTree,
  shift: number,
  { staging, ordered }: PassVectors,
  p: number,
  kind: PassKind,
): void {
  const scale = kind === 'solve' ? 1 / shift : kind === 'factor' ? Math.sqrt(shift) : 1 / Math.sqrt(shift);
  const { order } = tree;
  const isolated = isolatedOf(tree);
  for (let position = 0; position < isolated; position++) {
    const to = order[position] * p;
    for (let q = 0; q < p; q++)
      staging[to + q] = scale * (kind === 'solve' ? staging[to + q] : ordered[position * p + q]);
  }
}

/** X ← X·op(L)⁻¹ over transposed vectors. */
export function substituteRows(blas: Blas, trans: 'N' | 'T', l: Matrix, x: Matrix): void {
  if (x.rows === 1) blas.trsm('L', 'L', trans === 'T' ? 'N' : 'T', 'N', 1, l, view(x.data, x.offset, x.cols, 1));
  else substituteRight(blas, trans, l, x);
}
