/**
 * The matrix of the first section on the graphics card, by WebGPU: many products at once, there and here.
 */
import { zeros } from 'hmatrix/dense';
import { openDevice } from 'hmatrix/devices';
import { compress } from 'hmatrix/hierarchical';
import { RandomStream } from 'hmatrix/random';
import type { CardTask } from './protocol.js';
import { matrixOf, type Run } from './run.js';
import { timed } from './timed.js';

/** Vectors of a product. */
const VECTORS = 64;
/** Products that are timed. */
const PRODUCTS = 5;

/** Answers with both times and how far the card's float32 numbers are from those here. */
export async function cardTask(task: CardTask, { control, answer }: Run): Promise<void> {
  const { team, signal } = control;
  const { points, source } = matrixOf(task, control);
  const { format, tolerance, leafSize } = task;
  const device = await openDevice('webgpu', {}, { team });
  try {
    const matrix = await compress(source, { format, tolerance, leafSize: Math.min(leafSize, points.count) }, control);
    try {
      const onDevice = await matrix.to(device, { precision: 'f32' });
      const block = zeros(matrix.size, VECTORS);
      new RandomStream(1).fillNormal(block.data);
      const here = await timed(() => matrix.apply(block), PRODUCTS);
      signal.throwIfAborted();
      // The first one compiles the card's kernels.
      await onDevice.apply(block);
      const there = await timed(() => onDevice.apply(block), PRODUCTS);
      let [difference, length] = [0, 0];
      here.last.data.forEach((value, k) => {
        difference += (there.last.data[k] - value) ** 2;
        length += value ** 2;
      });
      answer({
        kind: 'onCard',
        card: device.description,
        vectors: VECTORS,
        cardSeconds: there.seconds,
        hereSeconds: here.seconds,
        bytes: onDevice.memory().bytes,
        difference: Math.sqrt(difference / length),
      });
    } finally {
      matrix.release();
    }
  } finally {
    await device.close();
  }
}
