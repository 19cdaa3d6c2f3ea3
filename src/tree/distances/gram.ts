/** The Gram distance √(K_ii + K_jj − 2K_ij) = ‖φ_i − φ_j‖, from entries. δ is its square. */
import { entryDistance } from './entry-distance.js';

/** ‖φ_i − φ_j‖, from entries: √(K_ii + K_jj − 2K_ij). */
export const gram = entryDistance({
  description: '√(K_ii + K_jj − 2K_ij)',
  weight: (d) => d,
  transform: (ofRows, ofCols, out) => {
    const { data, rows: m, cols: n } = out;
    for (let b = 0; b < n; b++) {
      const own = ofCols[b];
      const column = out.offset + b * out.ld;
      for (let a = 0; a < m; a++) data[column + a] = ofRows[a] + own - 2 * data[column + a];
    }
  },
  fromDissimilarity: Math.sqrt,
});
