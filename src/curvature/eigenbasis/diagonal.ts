/**
 * The diagonal of G̃ = Q·H·Qᵀ + complement.
 * For layer ℓ and output p₀ it is the diagonal of U_A·M·U_Aᵀ with M(q, q′) = Σ_{p,p′}
 * U_Γ(p₀,p)·U_Γ(p₀,p′)·H[(q,p),(q′,p′)]: one pass over the layer's stored blocks and one GEMM for each output. With an
 * identity for U_Γ only p = p′ = p₀ counts.
 */
import type { Blas } from '../../dense/blas.js';
import { zeros, type Matrix } from '../../dense/matrix.js';
import { diagonalOrder, type HierarchicalData } from '../../hierarchical/matrix/data.js';
import type { BasisLayer } from './rotation.js';
import { firstLeaf, leavesOf } from '../../tree/cluster-tree.js';

/**
 * Adds diag(Q·H·Qᵀ) and the complement's diagonal to out (N numbers). outputs·(stored entries of a layer) +
 * 2·width·directions² flops an output.
 */
export function addRotatedDiagonal(
  layers: readonly BasisLayer[],
  core: HierarchicalData | null,
  out: Float64Array,
  blas: Blas,
): void {
  for (const layer of layers) {
    if (core !== null && layer.units > 0 && layer.inputVectors.cols > 0)
      addLayerDiagonal(layer, (weights, moments) => addMoments(layer, core, weights, moments), out, blas);
    if (layer.complement !== null) addComplementDiagonal(layer, layer.complement, out);
  }
}

/**
 * Adds diag(U_A·M·U_Aᵀ) of every output to out (N numbers): `addMoments` adds an output's M, directions × directions,
 * for its weights U_Γ(p₀, ·). 2·width·directions² flops an output beside it.
 */
export function addLayerDiagonal(
  { offset, width, outputs, inputVectors, outputVectors, units }: BasisLayer,
  addMoments: (weights: Float64Array, moments: Matrix) => void,
  out: Float64Array,
  blas: Blas,
): void {
  const directions = inputVectors.cols;
  const moments = zeros(directions, directions);
  const product = zeros(width, directions);
  const weights = new Float64Array(units);
  for (let output = 0; output < outputs; output++) {
    for (let p = 0; p < units; p++)
      weights[p] = outputVectors === null ? (p === output ? 1 : 0) : outputVectors.data[output + p * outputs];
    moments.data.fill(0);
    addMoments(weights, moments);
    blas.gemm('N', 'N', 1, inputVectors, moments, 0, product);
    const at = offset + output * width;
    for (let q = 0, k = 0; q < directions; q++)
      for (let i = 0; i < width; i++, k++) out[at + i] += product.data[k] * inputVectors.data[k];
  }
}

/**
 * moments(q, q′) ← Σ weights(p)·weights(p′)·H[(q,p),(q′,p′)], the blocks above the diagonal taken twice (only the
 * symmetric part matters).
 */
function addMoments(
  { base, inputVectors, units }: BasisLayer,
  core: HierarchicalData,
  weights: Float64Array,
  moments: Matrix,
): void {
  const {
    tree,
    lists: { nearBegin, near },
    offsets,
    values,
  } = core;
  const directions = inputVectors.cols;
  const last = base + directions * units;
  const leaf0 = firstLeaf(tree);
  const m = moments.data;
  const weightAt = (position: number): number => {
    const index = tree.order[position];
    return index >= base && index < last ? weights[Math.floor((index - base) / directions)] : 0;
  };
  const rowWeights = new Float64Array(tree.size);
  const rowDirections = new Int32Array(tree.size);
  for (let p = tree.begin[0]; p < tree.size; p++) {
    rowWeights[p] = weightAt(p);
    rowDirections[p] = rowWeights[p] === 0 ? 0 : (tree.order[p] - base) % directions;
  }
  for (let α = 0; α < leavesOf(tree); α++) {
    const [first, end] = [tree.begin[leaf0 + α], tree.end[leaf0 + α]];
    const order = diagonalOrder(tree, α >> 1);
    const upper = (α & 1) === 1;
    const diagonal = offsets.diagonal[α >> 1] + (upper ? order : 0);
    for (let b = first; b < end; b++) {
      if (rowWeights[b] === 0) continue;
      const column = diagonal + (b - first) * order - first;
      const [begin, stop] = upper ? [first, b + 1] : [b, end];
      for (let a = begin; a < stop; a++)
        m[rowDirections[a] + rowDirections[b] * directions] +=
          (a === b ? 1 : 2) * rowWeights[a] * rowWeights[b] * values[column + a];
    }
    for (let e = nearBegin[α]; e < nearBegin[α + 1]; e++) {
      if (near[e] <= α) continue;
      let from = offsets.near[e];
      for (let b = tree.begin[leaf0 + near[e]]; b < tree.end[leaf0 + near[e]]; b++) {
        const weight = 2 * rowWeights[b];
        if (weight !== 0)
          for (let a = first; a < end; a++)
            m[rowDirections[a] + rowDirections[b] * directions] += weight * rowWeights[a] * values[from + a - first];
        from += end - first;
      }
    }
  }
}

/** out ← out + A(q, q)·(1 − ‖U_Γ(p, :)‖²), the diagonal of a layer's complement. */
export function addComplementDiagonal(
  { offset, width, outputs, outputVectors, units }: BasisLayer,
  gram: Matrix,
  out: Float64Array,
): void {
  for (let p = 0; p < outputs; p++) {
    let left = 1;
    for (let k = 0; k < units; k++) left -= outputVectors!.data[p + k * outputs] ** 2;
    for (let q = 0; q < width; q++) out[offset + p * width + q] += Math.max(0, left) * gram.data[q * (width + 1)];
  }
}
