/**
 * The angle distance 1 − K_ij²/(K_ii K_jj) = sin² of the angle between φ_i and φ_j, from entries. δ = 1 −
 * |K_ij|/√(K_ii K_jj) is monotone in the angle, and means of it tell clusters apart better than means of its square do.
 * Rows with K_ii ≤ 0 have φ_i = 0: they are at distance 0 from each other and 2 from all others, which sets them apart.
 */
import { entryDistance } from './entry-distance.js';

/** Beyond every true value (at most 1). */
const APART = 2;

/** sin² of the angle between φ_i and φ_j, from entries: 1 − K_ij²/(K_ii K_jj). */
export const angle = entryDistance({
  description: '1 − K_ij²/(K_ii K_jj)',
  weight: (d) => (d > 0 ? 1 / Math.sqrt(d) : 0),
  transform: (ofRows, ofCols, out) => {
    const { data, rows: m, cols: n } = out;
    for (let b = 0; b < n; b++) {
      const own = ofCols[b];
      const column = out.offset + b * out.ld;
      if (own > 0)
        for (let a = 0; a < m; a++) {
          const weight = ofRows[a];
          data[column + a] = weight > 0 ? 1 - Math.abs(data[column + a] * weight * own) : APART;
        }
      else for (let a = 0; a < m; a++) data[column + a] = ofRows[a] === own ? 0 : APART;
    }
  },
  // sin² from 1 − |cos|.
  fromDissimilarity: (δ) => (δ === APART ? APART : δ * (2 - δ)),
});
