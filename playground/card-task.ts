/**
 * The matrix of the first section on the graphics card, by WebGPU: many products at once, there and here.
 */
import { zeros } from 'hmatrix/dense';
import { openDevice } from 'hmatrix/devices';
import { compress } from 'hmatrix/hierarchical';
import { RandomStream } from 'hmatrix/random';
import type { CardTask } from './protocol.js';
import { matrixOf, type Run } from './run.js';

/** Vectors of a product. */
const VECTORS = 64;
/** Products that are timed; those before compile the card's kernels. */
const PRODUCTS = 5;

/** Seconds of what `act` does, the median, and what the last one gave. */
async function timed<T>(act: () => T | Promise<T>): Promise<readonly [seconds: number, last: T]> {
  const times: number[] = [];
  let last = await act();
  for (let k = 0; k < PRODUCTS; k++) {
    const began = performance.now();
    last = await act();
    times.push(performance.now() - began);
  }
  return [times.sort((a, b) => a - b)[PRODUCTS >> 1] / 1000, last];
}

/** Answers with both times and how far the card's float32 numbers are from those here. */
export async function cardTask(task: CardTask, { control, answer }: Run): Promise<void> {
  const { team, signal } = control;
  const { points, source } = matrixOf(task, control);
  const { format, tolerance, leafSize } = task;
  const device = await openDevice('webgpu', {}, { team });
  try {
    const matrix = await compress(source, { format, tolerance, leafSize: Math.min(leafSize, points.count) }, control);
    const onDevice = await matrix.to(device, { precision: 'f32' });
    const block = zeros(matrix.size, VECTORS);
    new RandomStream(1).fillNormal(block.data);
    const [hereSeconds, here] = await timed(() => matrix.apply(block));
    signal.throwIfAborted();
    const [cardSeconds, there] = await timed(() => onDevice.apply(block));
    let [difference, length] = [0, 0];
    for (let k = 0; k < here.data.length; k++) {
      difference += (there.data[k] - here.data[k]) ** 2;
      length += here.data[k] ** 2;
    }
    answer({
      kind: 'onCard',
      card: device.description,
      vectors: VECTORS,
      cardSeconds,
      hereSeconds,
      bytes: onDevice.memory().bytes,
      difference: Math.sqrt(difference / length),
    });
    matrix.release();
  } finally {
    await device.close();
  }
}
