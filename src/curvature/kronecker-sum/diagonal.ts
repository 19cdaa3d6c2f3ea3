/**
 * The diagonal and the trace of a Kronecker sum, from what is stored.
 * For layer ℓ and output p₀ the diagonal is that of U_A·(Σ_j μ_j S_j)·U_Aᵀ, μ_j = (U_Γ M_j U_Γᵀ)(p₀, p₀): one pass over
 * the layer's panels and one GEMM for each output.
 */
import type { Blas } from '../../dense/blas.js';
import type { Matrix } from '../../dense/matrix.js';
import { addComplementDiagonal, addLayerDiagonal } from '../eigenbasis/diagonal.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import { panelAt, panelCount, type KroneckerSumData, type Panel } from './data.js';

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
    const addOfPanels = (weights: Float64Array, moments: Matrix): void => {
      for (const panel of panels) addMoments(data, panel, weights, moments);
    };
    if (panels.length > 0) addLayerDiagonal(layer, addOfPanels, out, blas);
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

/** tr G̃ = Σ_j tr S_j·tr M_j + (r − k)·tr c·A. */
export function sumTrace(basis: readonly BasisLayer[], data: KroneckerSumData): number {
  let trace = 0;
  basis.forEach((layer, ℓ) => {
    for (const { modes, rows, mixing, values, pair } of ownPanels(data, ℓ)) {
      const { units } = data.layers[ℓ];
      for (let j = 0; j < modes; j++) {
        let [s, m] = [0, 0];
        for (let p = 0; p < rows; p++) s += data.values[values + p + rows * (j + modes * p)];
        for (let p = 0; p < units; p++)
          m += data.mixing[mixing + (pair.diagonal ? j + modes * p : p + units * (j + modes * p))];
        trace += s * m;
      }
    }
    if (layer.complement !== null) {
      let sum = 0;
      for (let q = 0; q < layer.width; q++) sum += layer.complement.data[q * (layer.width + 1)];
      trace += (layer.outputs - layer.units) * sum;
    }
  });
  return trace;
}
