/**
 * Squared Euclidean distances between two sets of points by direct differences, for small dimensions. Layer 3.
 * In few dimensions this is faster than a matrix product (one short loop instead of packing, product and correction) and loses no
 * digits between near points; every distance is a function of its two points alone, the same bits from either side.
 */

/** The largest dimension there is a direct loop for. */
export const largestDirectDimension = 8;

type Loop = (x: Float64Array, y: Float64Array, j: number, rows: number, out: Float64Array, offset: number) => void;

// One loop per dimension: the coordinates of point j stay in registers. x and y hold points one after the other.
const loops: readonly Loop[] = [
  (x, y, j, rows, out, offset) => {
    const y0 = y[j];
    for (let i = 0; i < rows; i++) {
      const a = x[i] - y0;
      out[offset + i] = a * a;
    }
  },
  (x, y, j, rows, out, offset) => {
    const y0 = y[2 * j], y1 = y[2 * j + 1];
    for (let i = 0, p = 0; i < rows; i++, p += 2) {
      const a = x[p] - y0, b = x[p + 1] - y1;
      out[offset + i] = a * a + b * b;
    }
  },
  (x, y, j, rows, out, offset) => {
    const y0 = y[3 * j], y1 = y[3 * j + 1], y2 = y[3 * j + 2];
    for (let i = 0, p = 0; i < rows; i++, p += 3) {
      const a = x[p] - y0, b = x[p + 1] - y1, c = x[p + 2] - y2;
      out[offset + i] = a * a + b * b + c * c;
    }
  },
  (x, y, j, rows, out, offset) => {
    const y0 = y[4 * j], y1 = y[4 * j + 1], y2 = y[4 * j + 2], y3 = y[4 * j + 3];
    for (let i = 0, p = 0; i < rows; i++, p += 4) {
      const a = x[p] - y0, b = x[p + 1] - y1, c = x[p + 2] - y2, d = x[p + 3] - y3;
      out[offset + i] = a * a + b * b + (c * c + d * d);
    }
  },
  (x, y, j, rows, out, offset) => {
    const y0 = y[5 * j], y1 = y[5 * j + 1], y2 = y[5 * j + 2], y3 = y[5 * j + 3], y4 = y[5 * j + 4];
    for (let i = 0, p = 0; i < rows; i++, p += 5) {
      const a = x[p] - y0, b = x[p + 1] - y1, c = x[p + 2] - y2, d = x[p + 3] - y3, e = x[p + 4] - y4;
      out[offset + i] = a * a + b * b + (c * c + d * d) + e * e;
    }
  },
  (x, y, j, rows, out, offset) => {
    const y0 = y[6 * j], y1 = y[6 * j + 1], y2 = y[6 * j + 2], y3 = y[6 * j + 3], y4 = y[6 * j + 4], y5 = y[6 * j + 5];
    for (let i = 0, p = 0; i < rows; i++, p += 6) {
      const a = x[p] - y0, b = x[p + 1] - y1, c = x[p + 2] - y2, d = x[p + 3] - y3, e = x[p + 4] - y4, f = x[p + 5] - y5;
      out[offset + i] = a * a + b * b + (c * c + d * d) + (e * e + f * f);
    }
  },
  (x, y, j, rows, out, offset) => {
    const y0 = y[7 * j], y1 = y[7 * j + 1], y2 = y[7 * j + 2], y3 = y[7 * j + 3], y4 = y[7 * j + 4], y5 = y[7 * j + 5], y6 = y[7 * j + 6];
    for (let i = 0, p = 0; i < rows; i++, p += 7) {
      const a = x[p] - y0, b = x[p + 1] - y1, c = x[p + 2] - y2, d = x[p + 3] - y3, e = x[p + 4] - y4, f = x[p + 5] - y5, g = x[p + 6] - y6;
      out[offset + i] = a * a + b * b + (c * c + d * d) + (e * e + f * f + g * g);
    }
  },
  (x, y, j, rows, out, offset) => {
    const y0 = y[8 * j], y1 = y[8 * j + 1], y2 = y[8 * j + 2], y3 = y[8 * j + 3], y4 = y[8 * j + 4], y5 = y[8 * j + 5], y6 = y[8 * j + 6], y7 = y[8 * j + 7];
    for (let i = 0, p = 0; i < rows; i++, p += 8) {
      const a = x[p] - y0, b = x[p + 1] - y1, c = x[p + 2] - y2, d = x[p + 3] - y3, e = x[p + 4] - y4, f = x[p + 5] - y5, g = x[p + 6] - y6, h = x[p + 7] - y7;
      out[offset + i] = a * a + b * b + (c * c + d * d) + (e * e + f * f + (g * g + h * h));
    }
  },
];

/** The loop for one column of squared distances: out[offset + i] ← ‖x_i − y_j‖², i < rows; x and y point after point. 1 ≤ dimension ≤ 8. */
export const directLoop = (dimension: number): Loop => loops[dimension - 1];

/** ‖x_i − x_j‖² by direct differences, in any dimension. */
export function squaredDistance(coordinates: Float64Array, dimension: number, i: number, j: number): number {
  let sum = 0;
  for (let k = 0, p = i * dimension, q = j * dimension; k < dimension; k++) {
    const a = coordinates[p + k] - coordinates[q + k];
    sum += a * a;
  }
  return sum;
}
