/**
 * The covariance of Brownian motion at times 1/N, 2/N, …, 1: a source that every worker builds for itself.
 */

/**
 * K(i, j) = min(t_i, t_j). The descriptor names an exported function of a module, and its data: this one.
 *
 * @param {{ size: number }} data
 * @returns {import('hmatrix').EntrySource}
 */
export function brownianMotion({ size }) {
  return {
    size,
    entries(rows, cols, out) {
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++)
          out.data[out.offset + a + b * out.ld] = (Math.min(rows[a], cols[b]) + 1) / size;
    },
    diagonal(out) {
      for (let i = 0; i < size; i++) out[i] = (i + 1) / size;
    },
    descriptor: { module: import.meta.url, name: 'brownianMotion', data: { size } },
  };
}
