/**
 * The diagonal and the trace of a Kronecker sum, from what is stored.
 * For layer ℓ and output p₀ the diagonal is that of U_A·(Σ_j μ_j S_j)·U_Aᵀ, μ_j = (U_Γ M_j U_Γᵀ)(p₀, p₀): one pass over
 * the layer's panels and one GEMM for each output.
 */
import type { Blas } from '../../dense/blas.js';
import type { Matrix } from '../../dense/matrix.js';
import { addComplementDiagonal, addLayerDiagonal } from '../eigenbasis/diagonal.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import {
  diagonalTerms,
  panelAt,
  panelCount,
  traceOf,
  type DiagonalTerm,
  type KroneckerSumData,
  type Panel,
} from './data.js';

/** Panels of a layer's own block. */
function ownPanels(data: KroneckerSumData, ℓ: number): Panel[] {
  const panels: Panel[] = [];
  for (let k = 0; k < panelCount(data); k++) {
    const panel = panelAt(data, k);
    if (panel.pair.row === ℓ && panel.pair.column === ℓ) panels.push(panel);
  }
  return panels;
}

/** out[i] ← out[i] + G̃(i, i). outputs·(stored numbers of a layer) + 2·width·directions² flops an output. */
export function addSumDiagonal(
  basis: readonly BasisLayer[],
  data: KroneckerSumData,
  out: Float64Array,
  blas: Blas,
): void {
  basis.forEach((layer, ℓ) => {
    const panels = ownPanels(data, ℓ);
    const terms = diagonalTerms(data, ℓ);
    const addOfPanels = (weights: Float64Array, moments: Matrix): void => {
      for (const panel of panels) addMoments(data, panel, weights, moments);
      for (const { inputs, units } of terms) {
        const factor = weights.reduce((sum, w, p) => sum + w * w * units[p], 0);
        for (let q = 0; q < moments.rows; q++) moments.data[q * (moments.ld + 1)] += factor * inputs[q];
      }
    };
    if (panels.length > 0 || terms.length > 0) addLayerDiagonal(layer, addOfPanels, out, blas);
    if (layer.complement !== null) addComplementDiagonal(layer, layer.complement, out);
  });
}

/** uᵀM_ju. */
function form({ mixing, layers }: KroneckerSumData, panel: Panel, j: number, u: Float64Array): number {
  const { units } = layers[panel.pair.row];
  const { modes } = panel;
  let sum = 0;
  for (let q = 0; q < units; q++) {
    if (u[q] === 0) continue;
    if (panel.pair.diagonal) {
      sum += u[q] ** 2 * mixing[panel.mixing + j + modes * q];
      continue;
    }
    let dot = 0;
    for (let p = 0, at = panel.mixing + units * (j + modes * q); p < units; p++, at++) dot += u[p] * mixing[at];
    sum += dot * u[q];
  }
  return sum;
}

/** moments ← moments + Σ_j μ_j·S_j of a panel, what is stored of one triangle alone taken twice. */
function addMoments(data: KroneckerSumData, panel: Panel, weights: Float64Array, moments: Matrix): void {
  const { modes, rows, columns, columnBegin, rowBegin } = panel;
  for (let j = 0; j < modes; j++) {
    const μ = form(data, panel, j, weights);
    if (μ === 0) continue;
    for (let q = 0; q < columns; q++) {
      const factor = q < rows ? μ : 2 * μ;
      const to = rowBegin + (columnBegin + q) * moments.ld;
      for (let p = 0, at = panel.values + rows * (j + modes * q); p < rows; p++, at++)
        moments.data[to + p] += factor * data.values[at];
    }
  }
}

/** ⟨Σ_j S_j ⊗ M_j, diag(d_ℓ) ⊗ diag(e_ℓ)⟩ over all layers, of what panels hold. */
export function panelTrace(data: KroneckerSumData, weights: readonly (DiagonalTerm | null)[]): number {
  let trace = 0;
  weights.forEach((weight, ℓ) => {
    if (weight === null) return;
    const { inputs, units } = weight;
    for (const { modes, rows, rowBegin, mixing, values, pair } of ownPanels(data, ℓ)) {
      for (let j = 0; j < modes; j++) {
        let [s, m] = [0, 0];
        for (let p = 0; p < rows; p++) s += inputs[rowBegin + p] * data.values[values + p + rows * (j + modes * p)];
        for (let p = 0; p < units.length; p++) {
          const at = pair.diagonal ? j + modes * p : p + units.length * (j + modes * p);
          m += units[p] * data.mixing[mixing + at];
        }
        trace += s * m;
      }
    }
  });
  return trace;
}

/** What panels hold of the trace. */
export const ownTrace = (data: KroneckerSumData): number =>
  panelTrace(
    data,
    data.layers.map(({ directions, units }) => ({
      inputs: new Float64Array(directions).fill(1),
      units: new Float64Array(units).fill(1),
    })),
  );

/** tr G̃: of panels, of terms on the diagonals, and (r − k)·tr c·A. */
export function sumTrace(basis: readonly BasisLayer[], data: KroneckerSumData): number {
  let trace = ownTrace(data);
  basis.forEach(({ complement, outputs, units, width }, ℓ) => {
    for (const term of diagonalTerms(data, ℓ)) trace += traceOf(term);
    if (complement === null) return;
    for (let q = 0; q < width; q++) trace += (outputs - units) * complement.data[q * (width + 1)];
  });
  return trace;
}
