/**
 * Passes of a factorization over blocks of vectors: into tree order, upward, downward, back.
 *
 * With K̃ + λI = F·Fᵀ, a solve is an upward pass (F⁻¹) and a downward one (F⁻ᵀ); F itself and F⁻ᵀ alone are downward
 * passes. Vectors stand transposed inside (p × N, the p values of an index contiguous), as in
 * hierarchical/matrix/apply.ts: a single one is read where it stands. A task writes only its nodes' values and sums in
 * a fixed order: every team size gives the same bits.
 */
import { parentOf } from '../../core/indices.js';
import type { FloatArray, Matrix } from '../../dense/matrix.js';
import type { TaskBody } from '../../parallel/task.js';
import { taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import { isolatedOf, type ClusterTree } from '../../tree/cluster-tree.js';
import type { OwnRows } from '../ranks/own-rows.js';
import { taskNodes, walkDown, walkUp, type SharedTree } from './tree.js';
import {
  gatherVectors,
  PANEL,
  passNumbers,
  passPlaces,
  transposeIn,
  transposeOut,
} from '../matrix/transposed-vectors.js';

/** solve: F⁻ᵀF⁻¹; factor: F; inverse factor: F⁻ᵀ. The latter two take vectors in the factor's own order. */
export type PassKind = 'solve' | 'factor' | 'inverse factor';

/** out ← α·(pass of x) + β·out, p columns, both over shared memory; out may be x. */
export interface PassArguments {
  readonly kind: PassKind;
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
  /** Where x and out have own rows, in the order of the tree; default: all rows in the caller's order. */
  readonly own?: OwnRows | undefined;
}

/** One phase of a pass of several ranks; `nodes` are those of its tasks. */
export interface RankPassArguments extends PassArguments {
  readonly phase: 'up' | 'down' | 'out';
  readonly nodes: Int32Array;
}

/** Room for `width` vectors; a pass with p of them uses the first p·N numbers of each. */
export interface PassVectors {
  readonly width: number;
  /** The place of each index in tree order; empty while nobody has asked for whole vectors. */
  readonly place: Int32Array;
  /** Columns in tree order: incoming before the upward pass, outgoing after the downward one. */
  readonly staging: FloatArray;
  /** Columns in the factor's order. */
  readonly ordered: FloatArray;
}

/** A factorization's work at a node, with p vectors. */
export interface NodePass {
  /** Copies the node's own variables, of x in the factor's own order: what passes but solves begin with on a share. */
  take(ν: number, x: Matrix): void;
  up(ν: number, p: number): void;
  down(ν: number, p: number, kind: PassKind): void;
  /** Isolated indices, whose rows are λ·I. */
  isolated(p: number, kind: PassKind): void;
}

/** Tasks ν (upward) and nodes + ν (downward), the transpositions around them and two joints. */
export function passGraph(data: SharedTree): TaskGraph {
  const numbers = passNumbers(taskNodes(data), data.tree.size);
  const { nodes, panels, panelIn, panelOut, began, ended } = numbers;
  const roots = (nodes - 1) / 2;
  const edges: number[] = [];
  for (let panel = 0; panel < panels; panel++) edges.push(panelIn + panel, began, ended, panelOut + panel);
  for (let ν = roots; ν < nodes; ν++) edges.push(began, ν, nodes + ν, ended);
  for (let ν = 1; ν < nodes; ν++) edges.push(ν, parentOf(ν), nodes + parentOf(ν), nodes + ν);
  edges.push(0, nodes);
  return taskGraph(ended + 1, edges, passPlaces(numbers));
}

/** Runs tasks of `passGraph`. */
export function passBody(
  data: SharedTree,
  { staging, ordered, place }: PassVectors,
  pass: NodePass,
): TaskBody<PassArguments> {
  const { tree } = data;
  const { nodes, panelIn, panelOut, began } = passNumbers(taskNodes(data), tree.size);
  const roots = (nodes - 1) / 2;
  let p = 0;
  let kind: PassKind = 'solve';
  const up = (ν: number): void => pass.up(ν, p);
  const down = (ν: number): void => pass.down(ν, p, kind);
  return (task, args) => {
    p = args.x.cols;
    kind = args.kind;
    const solve = kind === 'solve';
    const order = args.own?.begin ?? tree.order;
    if (task < nodes) {
      if (!solve) return;
      if (p === 1 && task >= roots) gatherVectors(staging, args.x, order, tree.begin[task], tree.end[task]);
      walkUp(data, task, up);
    } else if (task < 2 * nodes) {
      walkDown(data, task - nodes, down);
      if (task !== nodes) return;
      if (p === 1 && solve) gatherVectors(staging, args.x, order, 0, isolatedOf(tree));
      pass.isolated(p, kind);
    } else if (task < panelOut) {
      if (!solve) transposeIn((task - panelIn) * PANEL, args.x, ordered);
      else if (p > 1) transposeIn((task - panelIn) * PANEL, args.x, staging, args.own?.place ?? place);
    } else if (task < began) {
      const values = { values: staging, place: args.own?.place ?? place };
      transposeOut((task - panelOut) * PANEL, args.out, args.alpha, args.beta, values);
    }
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
  const values = kind === 'solve' ? staging : ordered;
  for (let i = 0; i < isolatedOf(tree) * p; i++) staging[i] = scale * values[i];
}

/** out(to …) ← values(begin … end). */
export function copyNumbers(out: FloatArray, to: number, values: FloatArray, begin: number, end: number): void {
  for (let from = begin; from < end; from++) out[to++] = values[from];
}
