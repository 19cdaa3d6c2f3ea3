/**
 * What an HSS matrix in generator form holds between its nodes: couplings, whole diagonal blocks, and the singular
 * values of every off-diagonal block row.
 *
 * Downwards, D_ν + U_ν·M_ν·U_νᵀ = [M_l B; Bᵀ M_r] gives the coupling B of the children of ν, in their bases, and what
 * is passed on to them; at a leaf it is the whole diagonal block. Bases are orthonormal, so the block row of l outside
 * its own columns has the singular values of the small matrix
 *   X_l = [B, R_l·P_ν·Σ_ν] = P_l·Σ_l·Q_lᵀ,  R_l: the rows of U_ν that belong to l,
 * and the leading columns of P_l are the part of its basis to keep (recompression as of J. Xia, S. Chandrasekaran, M.
 * Gu, X. Li, *Fast algorithms for hierarchically semiseparable matrices*, Numer. Linear Algebra Appl. 17(6), 2010,
 * section 4).
 */
import { FactorizationError } from '../../../core/errors.js';
import { leftChild, parentOf, rightChild } from '../../../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import type { Blas } from '../../../dense/blas.js';
import { block, copyInto, view, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import { runOnce } from '../../../parallel/run-once.js';
import { taskGraph } from '../../../parallel/task-graph.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import { type ClusterTree, firstLeaf, nodesOf } from '../../../tree/cluster-tree.js';
import { mostRows, type GeneratorLevel } from './generators.js';

/** Couplings, diagonal blocks and singular values of an HSS matrix in generator form. */
export interface HssSpectra {
  readonly tree: ClusterTree;
  /** The generators; the blocks of the leaves' level are the whole diagonal blocks. */
  readonly levels: readonly GeneratorLevel[];
  /** Rank of node ν in them, and σ of its block row from sigmaBegin[ν] on. */
  readonly ranks: Int32Array;
  readonly sigmaBegin: Int32Array;
  readonly sigma: Float64Array;
  /** P and M of node ν, rank × rank, from cornerBegin[ν]. */
  readonly cornerBegin: Float64Array;
  readonly rotations: Float64Array;
  readonly passed: Float64Array;
  /** B of the pair whose left node is ν, from couplingBegin[ν]. */
  readonly couplingBegin: Float64Array;
  readonly couplings: Float64Array;
}

/** A node's part of its level. */
export function nodeOf(
  { levels }: Pick<HssSpectra, 'levels'>,
  ν: number,
): { rows: number; rank: number; block: Matrix; basis: Matrix } {
  const level = levels[31 - Math.clz32(ν + 1)];
  const i = ν - level.first;
  const rows = level.rowBegin[i + 1] - level.rowBegin[i];
  return {
    rows,
    rank: level.ranks[i],
    block: view(level.blocks, level.blockBegin[i], rows, rows),
    basis: view(level.bases, level.basisBegin[i], rows, level.ranks[i]),
  };
}

/** B of the pair whose left node is `left`: rank × rank. */
export const couplingOf = ({ ranks, couplings, couplingBegin }: HssSpectra, left: number): Matrix =>
  view(couplings, couplingBegin[left], ranks[left], ranks[left + 1]);
/** P of node ν: rank × rank. */
export const rotationOf = ({ ranks, rotations, cornerBegin }: HssSpectra, ν: number): Matrix =>
  view(rotations, cornerBegin[ν], ranks[ν], ranks[ν]);

/** Most rows and largest rank of a node. */
export function extentOf(levels: readonly GeneratorLevel[]): { rows: number; rank: number } {
  let rows = 0;
  let rank = 0;
  for (const level of levels) {
    rows = Math.max(rows, mostRows(level.rowBegin));
    for (const r of level.ranks) rank = Math.max(rank, r);
  }
  return { rows, rank };
}

class Folder {
  readonly #spectra: HssSpectra;
  readonly #blas: Blas;
  readonly #full: Float64Array;
  readonly #half: Float64Array;
  readonly #product: Float64Array;
  readonly #outside: Float64Array;
  readonly #triangle: Float64Array;
  readonly #right: Float64Array;
  readonly #tau: Float64Array;

  constructor(spectra: HssSpectra, blas: Blas) {
    const { rows, rank } = extentOf(spectra.levels);
    this.#spectra = spectra;
    this.#blas = blas;
    this.#full = new Float64Array(rows * rows);
    this.#half = new Float64Array(rows * rank);
    this.#product = new Float64Array(rows * rows);
    this.#outside = new Float64Array(2 * rank * rank);
    this.#triangle = new Float64Array(rank * rank);
    this.#right = new Float64Array(rank * rank);
    this.#tau = new Float64Array(rank);
  }

  run(ν: number): void {
    const spectra = this.#spectra;
    const node = nodeOf(spectra, ν);
    if (ν > 0 && node.rank > 0) this.#findSpectrum(ν, node.rank);
    if (node.rows === 0) return;
    const full = this.#wholeBlock(ν, node);
    if (ν >= firstLeaf(spectra.tree)) copyInto(node.block, full);
    else this.#split(ν, full);
  }

  /** P and σ of X_ν, from its transpose [Bᵀ or B; Σ·Pᵀ·R_νᵀ] of ν's parent. */
  #findSpectrum(ν: number, rank: number): void {
    const spectra = this.#spectra;
    const { sigma, sigmaBegin, ranks } = spectra;
    const blas = this.#blas;
    const parent = parentOf(ν);
    const isLeft = (ν & 1) === 1;
    const sibling = isLeft ? ν + 1 : ν - 1;
    const across = ranks[sibling];
    const above = parent > 0 ? ranks[parent] : 0;
    const outside = view(this.#outside, 0, across + above, rank);
    const b = couplingOf(spectra, isLeft ? ν : sibling);
    for (let j = 0; j < rank; j++)
      for (let i = 0; i < across; i++)
        this.#outside[i + j * outside.ld] = isLeft ? b.data[b.offset + j + i * b.ld] : b.data[b.offset + i + j * b.ld];
    if (above > 0) {
      const rows = block(nodeOf(spectra, parent).basis, isLeft ? 0 : across, 0, rank, above);
      const scaled = block(outside, across, 0, above, rank);
      blas.gemm('T', 'T', 1, rotationOf(spectra, parent), rows, 0, scaled);
      for (let j = 0; j < rank; j++)
        for (let i = 0; i < above; i++) this.#outside[across + i + j * outside.ld] *= sigma[sigmaBegin[parent] + i];
    }
    let a = outside;
    if (outside.rows > rank) {
      blas.geqrf(outside, this.#tau.subarray(0, rank));
      a = view(this.#triangle, 0, rank, rank);
      for (let j = 0; j < rank; j++)
        for (let i = 0; i < rank; i++) this.#triangle[i + j * rank] = i <= j ? this.#outside[i + j * outside.ld] : 0;
    }
    const k = a.rows;
    const p = rotationOf(spectra, ν);
    if (k === 0) return;
    const right = view(this.#right, 0, k, rank);
    const info = blas.gesdd(a, sigma.subarray(sigmaBegin[ν], sigmaBegin[ν] + k), view(this.#product, 0, k, k), right);
    if (info !== 0)
      throw new FactorizationError(`gesdd did not converge on the block row of node ${ν} (info ${info}).`, {
        routine: 'gesdd',
        info,
        node: ν,
      });
    for (let j = 0; j < k; j++) for (let i = 0; i < rank; i++) p.data[p.offset + i + j * rank] = this.#right[j + i * k];
  }

  /** D + U·M·Uᵀ, symmetric to the last bit. */
  #wholeBlock(ν: number, { rows, rank, block: d, basis }: ReturnType<typeof nodeOf>): Matrix {
    const full = view(this.#full, 0, rows, rows);
    copyInto(full, d);
    if (rank === 0) return full;
    const { passed, cornerBegin } = this.#spectra;
    const half = view(this.#half, 0, rows, rank);
    const product = view(this.#product, 0, rows, rows);
    this.#blas.gemm('N', 'N', 1, basis, view(passed, cornerBegin[ν], rank, rank), 0, half);
    this.#blas.gemm('N', 'T', 1, half, basis, 0, product);
    for (let j = 0; j < rows; j++) {
      for (let i = j; i < rows; i++) {
        const value = this.#full[i + j * rows] + 0.5 * (this.#product[i + j * rows] + this.#product[j + i * rows]);
        this.#full[i + j * rows] = value;
        this.#full[j + i * rows] = value;
      }
    }
    return full;
  }

  #split(ν: number, full: Matrix): void {
    const spectra = this.#spectra;
    const { ranks, passed, cornerBegin } = spectra;
    const l = leftChild(ν);
    const r = rightChild(ν);
    copyInto(view(passed, cornerBegin[l], ranks[l], ranks[l]), block(full, 0, 0, ranks[l], ranks[l]));
    copyInto(view(passed, cornerBegin[r], ranks[r], ranks[r]), block(full, ranks[l], ranks[l], ranks[r], ranks[r]));
    copyInto(couplingOf(spectra, l), block(full, 0, ranks[l], ranks[l], ranks[r]));
  }
}

/** Node `task`, its parent done. */
export const foldDown = defineTask<HssSpectra>(import.meta.url, 'foldDown', (spectra, context) => {
  const folder = new Folder(spectra, context.blas);
  return (ν) => folder.run(ν);
});

/**
 * Couplings and spectra of generators, whose leaf blocks become whole. Cost O(N·rank²/leaf size + N·leaf size) flops.
 */
export async function hssSpectra(
  tree: ClusterTree,
  levels: readonly GeneratorLevel[],
  control: TeamControl,
): Promise<HssSpectra> {
  const nodes = nodesOf(tree);
  const ranks = sharedInt32(nodes);
  const sigmaBegin = sharedInt32(nodes + 1);
  const cornerBegin = sharedFloat64(nodes + 1);
  const couplingBegin = sharedFloat64(nodes + 1);
  for (const { first, count, ranks: found } of levels) {
    for (let i = 0; i < count; i++) {
      const ν = first + i;
      ranks[ν] = found[i];
      sigmaBegin[ν + 1] = sigmaBegin[ν] + found[i];
      cornerBegin[ν + 1] = cornerBegin[ν] + found[i] * found[i];
      couplingBegin[ν + 1] = couplingBegin[ν] + ((ν & 1) === 1 ? found[i] * found[i + 1] : 0);
    }
  }
  const spectra: HssSpectra = {
    tree,
    levels,
    ranks,
    sigmaBegin,
    sigma: sharedFloat64(sigmaBegin[nodes]),
    cornerBegin,
    rotations: sharedFloat64(cornerBegin[nodes]),
    passed: sharedFloat64(cornerBegin[nodes]),
    couplingBegin,
    couplings: sharedFloat64(couplingBegin[nodes]),
  };
  const edges: number[] = [];
  for (let ν = 1; ν < nodes; ν++) edges.push(parentOf(ν), ν);
  await runOnce('fold down', foldDown, spectra, taskGraph(nodes, edges), control);
  return spectra;
}
