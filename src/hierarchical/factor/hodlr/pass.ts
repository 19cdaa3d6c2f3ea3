/**
 * Passes with the factors of a HODLR factorization (factor.ts).
 *
 *   upward, F⁻¹      leaf: x ← L⁻¹·x;   then   w = C⁻¹·(t_r − Xᵀ·t_l) − t_r,  x_r += Q_r·w,   t = Qᵀ·x
 *   downward, F⁻ᵀ    s = C⁻ᵀ·t_r,  x_r += Q_r·(s − t_r),  x_l −= Q_l·X·s;   then leaf: x ← L⁻ᵀ·x
 *   downward, F      x_r += Q_r·(Xᵀ·t_l + C·t_r − t_r);   then leaf: x ← L·x
 *
 * Vectors stand transposed (p × indices in tree order). A node's own projection, and what is added to its rows, are its
 * own task's work: so the two largest go on side by side.
 */
import { floats } from '../../../core/floats.js';
import { firstOfLevel, leftChild, levelOf, parentOf } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { multiplyRows } from '../../../dense/row-products.js';
import { substituteRows } from '../../../dense/substitution.js';
import { defineTask } from '../../../parallel/task.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import { blockLevel, eachBelow, eachBlock } from '../../matrix/row-blocks.js';
import { transposeRows } from '../../matrix/transposed-vectors.js';
import {
  copyNumbers,
  passBody,
  passIsolated,
  type NodePass,
  type PassArguments,
  type PassKind,
  type PassVectors,
  type RankPassArguments,
} from '../pass.js';
import type { AbovePass, RankSolveParts } from '../engine.js';
import { rankPassBody } from '../rank-solve.js';
import { addUp, type SiblingExchange } from '../../ranks/exchange.js';
import { heldNodes, type Share } from '../../ranks/share.js';
import { basisRowsOf, cornerOf, leafFactorOf, type HodlrFactors } from './factors.js';
import { coupled, type HodlrPlan } from './plan.js';

/** `projections`: width numbers per basis vector. */
export interface HodlrPassState extends HodlrFactors, PassVectors {
  readonly projections: FloatArray;
  /** Scratch for sums of projections over blocks of rows. */
  readonly sums: FloatArray;
}

/** A pass at each node, on one thread. */
export class HodlrPass implements NodePass {
  readonly #state: HodlrPassState;
  readonly #blas: Blas;
  readonly #leaf0: number;
  readonly #blockLevel: number;
  readonly #firstBlock: number;
  readonly #scratch: FloatArray;

  constructor(state: HodlrPassState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#leaf0 = firstLeaf(state.data.tree);
    this.#blockLevel = blockLevel(state.data.tree);
    this.#firstBlock = firstOfLevel(this.#blockLevel);
    const length = state.plan.mostRank * state.width;
    this.#scratch = floats(length, state.plan.precision);
  }

  isolated(p: number, kind: PassKind): void {
    const {
      data: { tree },
      shift,
    } = this.#state;
    passIsolated(tree, shift[0], this.#state, p, kind);
  }

  take(ν: number, x: Matrix): void {
    const { tree } = this.#state.data;
    if (ν >= this.#leaf0) transposeRows(this.#state.ordered, tree.begin[ν], x, tree.begin[ν], tree.end[ν]);
  }

  up(ν: number, p: number): void {
    const {
      data: { tree },
      plan,
      staging,
    } = this.#state;
    const blas = this.#blas;
    if (ν >= this.#leaf0) {
      const x = this.#rows(ν, p);
      copyNumbers(x.data, x.offset, staging, x.offset, tree.end[ν] * p);
      substituteRows(blas, 'T', leafFactorOf(this.#state, ν), x);
    } else if (coupled(plan, ν)) this.coupleUp(ν, p);
    if (ν > 0) this.#project(ν, p);
  }

  /** What is added to the rows of the right child, from the projections of both. */
  coupleUp(ν: number, p: number): void {
    const blas = this.#blas;
    const l = leftChild(ν);
    const { x, c } = cornerOf(this.#state, ν);
    const t = this.#projection(l + 1, p);
    const w = view(this.#scratch, 0, p, x.cols);
    copyColumns(w, t);
    multiplyRows(blas, -1, this.#projection(l, p), 'N', x, 1, w);
    substituteRows(blas, 'T', c, w);
    subtract(w, t);
    this.#addToRows(l + 1, w, p);
  }

  down(ν: number, p: number, kind: PassKind): void {
    const {
      data: { tree },
      plan,
      staging,
    } = this.#state;
    const blas = this.#blas;
    this.receive(ν, p, kind);
    if (ν >= this.#leaf0) {
      const factor = leafFactorOf(this.#state, ν);
      const x = this.#rows(ν, p);
      if (kind !== 'factor') substituteRows(blas, 'N', factor, x);
      else if (p === 1) blas.trmm('L', 'L', 'N', 'N', 1, factor, view(x.data, x.offset, x.cols, 1));
      else blas.trmm('R', 'L', 'T', 'N', 1, factor, x);
      copyNumbers(staging, x.offset, x.data, x.offset, tree.end[ν] * p);
    } else if (coupled(plan, ν)) {
      const l = leftChild(ν);
      this.#project(l + 1, p);
      if (kind === 'factor') this.#project(l, p);
      this.coupleDown(ν, p, kind);
    }
  }

  /** The rows of ν: what its parent adds. */
  receive(ν: number, p: number, kind: PassKind): void {
    const left = (ν & 1) === 1;
    if (ν > 0 && coupled(this.#state.plan, parentOf(ν)) && !(left && kind === 'factor'))
      this.#addToRows(ν, this.#projection(ν, p), p);
  }

  /** What is added to the rows of both children by their bases, in the place of their projections. */
  coupleDown(ν: number, p: number, kind: PassKind): void {
    const blas = this.#blas;
    const l = leftChild(ν);
    const { x, c } = cornerOf(this.#state, ν);
    const right = this.#projection(l + 1, p);
    const left = this.#projection(l, p);
    const s = view(this.#scratch, 0, p, x.cols);
    copyColumns(s, right);
    if (kind === 'factor') {
      if (p === 1) blas.trmm('L', 'L', 'N', 'N', 1, c, view(s.data, s.offset, s.cols, 1));
      else blas.trmm('R', 'L', 'T', 'N', 1, c, s);
      multiplyRows(blas, 1, left, 'N', x, 1, s);
    } else {
      substituteRows(blas, 'N', c, s);
      multiplyRows(blas, -1, s, 'T', x, 0, left);
    }
    subtract(s, right);
    copyColumns(right, s);
  }

  /** t_ν = Q_νᵀ·x, all of ν's rows being here. */
  #project(ν: number, p: number): void {
    if (ν >= this.#firstBlock) {
      const q = basisRowsOf(this.#state, ν, ν);
      if (q.cols > 0) multiplyRows(this.#blas, 1, this.#rows(ν, p), 'N', q, 0, this.#projection(ν, p));
      return;
    }
    const { share } = this.#state.data;
    this.project(ν, p);
    for (let level = this.#blockLevel - 1; level >= levelOf(ν); level--)
      eachBelow(share, ν, level, (c) => this.addProjections(ν, c, p));
  }

  /** Q_νᵀ·x over each of ν's blocks. */
  project(ν: number, p: number): void {
    const { plan, data } = this.#state;
    if (plan.begin[ν + 1] === plan.begin[ν]) return;
    eachBlock(data, ν, (g) => {
      const q = basisRowsOf(this.#state, ν, g);
      multiplyRows(this.#blas, 1, this.#rows(g, p), 'N', q, 0, this.#projectionOver(ν, g, p));
    });
  }

  /** Q_νᵀ·x over c, ν or a node below it, from that over c's children. */
  addProjections(ν: number, c: number, p: number): void {
    const out = this.projectionOver(ν, c, p);
    const left = this.projectionOver(ν, leftChild(c), p);
    const right = this.projectionOver(ν, leftChild(c) + 1, p);
    for (let i = 0; i < out.length; i++) out[i] = left[i] + right[i];
  }

  /** Q_νᵀ·x over c: over all of ν it is its projection. */
  projectionOver(ν: number, c: number, p: number): FloatArray {
    const { data, offset, rows, cols } = this.#projectionOver(ν, c, p);
    return data.subarray(offset, offset + rows * cols);
  }

  #projectionOver(ν: number, c: number, p: number): Matrix {
    const { plan, sums } = this.#state;
    return c === ν ? this.#projection(ν, p) : view(sums, plan.sumBegin[c] * p, p, plan.begin[ν + 1] - plan.begin[ν]);
  }

  /** x_ν += Q_ν·w, block by block. */
  #addToRows(ν: number, w: Matrix, p: number): void {
    const { data } = this.#state;
    if (data.share?.held[ν] === 0) return;
    if (ν >= this.#firstBlock) {
      multiplyRows(this.#blas, 1, w, 'T', basisRowsOf(this.#state, ν, ν), 1, this.#rows(ν, p));
      return;
    }
    eachBlock(data, ν, (g) => {
      multiplyRows(this.#blas, 1, w, 'T', basisRowsOf(this.#state, ν, g), 1, this.#rows(g, p));
    });
  }

  #rows(ν: number, p: number): Matrix {
    const {
      data: { tree },
      ordered,
    } = this.#state;
    return view(ordered, tree.begin[ν] * p, p, tree.end[ν] - tree.begin[ν]);
  }

  #projection(ν: number, p: number): Matrix {
    const {
      plan: { begin },
      projections,
    } = this.#state;
    return view(projections, begin[ν] * p, p, begin[ν + 1] - begin[ν]);
  }
}

function copyColumns(out: Matrix, a: Matrix): void {
  for (let i = 0, to = out.offset, from = a.offset; i < a.rows * a.cols; i++) out.data[to++] = a.data[from++];
}

function subtract(out: Matrix, a: Matrix): void {
  for (let i = 0, to = out.offset, from = a.offset; i < a.rows * a.cols; i++) out.data[to++] -= a.data[from++];
}

/** A pass above a share: projections of nodes whose rows several ranks have are summed over their blocks. */
class HodlrAbove implements AbovePass {
  readonly #pass: HodlrPass;
  readonly #share: Share;
  readonly #plan: HodlrPlan;
  readonly #blockLevel: number;

  constructor({ data: { tree }, plan }: HodlrPassState, share: Share, pass: HodlrPass) {
    this.#pass = pass;
    this.#share = share;
    this.#plan = plan;
    this.#blockLevel = blockLevel(tree);
  }

  up(level: number, nodes: Int32Array, p: number, siblings: SiblingExchange): void {
    siblings.run(level + 1, (c) => this.#pass.projectionOver(c, c, p));
    for (const ν of nodes) if (coupled(this.#plan, ν)) this.#pass.coupleUp(ν, p);
    if (level > 0) this.#project(level, nodes, p, siblings);
  }

  down(level: number, nodes: Int32Array, p: number, kind: PassKind, siblings: SiblingExchange): void {
    for (const ν of nodes) this.#pass.receive(ν, p, kind);
    const children = heldNodes(this.#share, level + 1).filter((ν) => kind === 'factor' || (ν & 1) === 0);
    this.#project(level + 1, children, p, siblings);
    siblings.run(level + 1, (c) => this.#pass.projectionOver(c, c, p));
    for (const ν of nodes) if (coupled(this.#plan, ν)) this.#pass.coupleDown(ν, p, kind);
  }

  /** The projections of the nodes of a level, on all ranks that hold them. */
  #project(level: number, nodes: Int32Array, p: number, siblings: SiblingExchange): void {
    for (const ν of nodes) this.#pass.project(ν, p);
    addUp(this.#share, siblings, {
      from: this.#blockLevel,
      to: level,
      numbers: (ν, c) => this.#pass.projectionOver(ν, c, p),
      add: (ν, c) => this.#pass.addProjections(ν, c, p),
    });
  }
}

/** A pass on one thread, and the one above a share. */
export function openHodlrPass(state: HodlrPassState, blas: Blas): ReturnType<RankSolveParts['open']> {
  const pass = new HodlrPass(state, blas);
  return { pass, above: new HodlrAbove(state, state.data.share!, pass) };
}

/** Runs task t of a pass. */
export const hodlrPassTask = defineTask<HodlrPassState, PassArguments>(
  import.meta.url,
  'hodlrPassTask',
  (state, context) => passBody(state.data, state, new HodlrPass(state, context.blas)),
);

/** Runs a task of a pass that several ranks make. */
export const hodlrRankTask = defineTask<HodlrPassState, RankPassArguments>(
  import.meta.url,
  'hodlrRankTask',
  (state, context) => rankPassBody(state.data, state, new HodlrPass(state, context.blas)),
);
