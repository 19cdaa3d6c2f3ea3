/**
 * One kernel matrix compressed, multiplied and measured.
 */
import { compress } from 'hmatrix/hierarchical';
import { blockStructure } from '#hmatrix/hierarchical/matrix/block-structure.js';
import type { CompressTask, OwnPoints } from './protocol.js';
import { matrixOf, type Run } from './run.js';
import { timed } from './timed.js';

/** Columns that are compared with exact ones. */
const COLUMNS = 128;
/** Products that are timed. */
const PRODUCTS = 7;

/** The first two coordinates of the points in tree order; of points on a line, the second is 0. */
function planeOf(order: Int32Array, { dimension, coordinates }: OwnPoints): Float64Array {
  const plane = new Float64Array(2 * order.length);
  order.forEach((i, p) => {
    plane[2 * p] = coordinates[dimension * i];
    plane[2 * p + 1] = dimension > 1 ? coordinates[dimension * i + 1] : 0;
  });
  return plane;
}

/** Answers with the compressed matrix, then with its measured error. */
export async function compressTask(task: CompressTask, { control, answer }: Run): Promise<void> {
  const { points, source } = matrixOf(task, control);
  const { format, tolerance, leafSize } = task;
  const began = performance.now();
  const matrix = await compress(source, { format, tolerance, leafSize: Math.min(leafSize, points.count) }, control);
  const seconds = (performance.now() - began) / 1000;
  try {
    const vector = new Float64Array(matrix.size).fill(1);
    const product = await timed(() => matrix.apply(vector), PRODUCTS);
    answer({
      kind: 'compressed',
      structure: blockStructure(matrix),
      ranks: matrix.ranks(),
      memory: matrix.memory(),
      plane: planeOf(matrix.data.tree.order, points),
      seconds,
      productSeconds: product.seconds,
      workers: control.team.workers,
    });
    const columns = Math.min(COLUMNS, points.count);
    answer({ kind: 'measured', error: await matrix.estimateError(source, { columns }, control) });
  } finally {
    matrix.release();
  }
}
