/**
 * Factorizations of one large triangle on a card by panels of our own (and cuBLAS) and by cuSOLVER: times, how far the
 * results are apart, and what both say of pivots that fail.
 */
import { floats, PRECISIONS, type Precision } from '../src/core/floats.js';
import type { CusolverLibrary } from '../src/device/cuda/cusolver.js';
import { CudaDevice } from '../src/device/cuda/device.js';
import { findCard } from '../src/device/cuda/open.js';
import type { Device } from '../src/device/device.js';
import type { Choleskys } from '../src/device/work/triangles.js';
import { measured } from './device-gemms.js';
import type { NetworkStep } from './device-networks.js';
import { difference, judge, tell } from './device-results.js';

const triangleOf = (order: number): Choleskys => ({
  kind: 'cholesky',
  triangles: [{ offset: 0, ld: order, order, status: 0 }],
});

/** What stands in the place of a pivot that fails. */
const FAILURES = [-1, 0, NaN, Infinity];

/** What is said of the identity with one number in the middle of its diagonal. */
async function told(device: Device, order: number, precision: Precision, pivot: number): Promise<number> {
  const values = floats(order * order, precision);
  for (let k = 0; k < order; k++) values[k * (order + 1)] = k === order >> 1 ? pivot : 1;
  const [matrix, status] = [await device.upload(values), await device.allocate(1, precision)];
  const planned = await device.plan(triangleOf(order));
  device.launch(planned, { values: matrix, status });
  const to = floats(1, precision);
  await device.read(status, to);
  for (const one of [planned, matrix, status]) one.destroy();
  return to[0];
}

/** How often cuSOLVER factored in `work`. */
async function countCalls(library: CusolverLibrary, work: () => Promise<void>): Promise<number> {
  let calls = 0;
  const call = library.call.bind(library);
  library.call = (name, ...how) => {
    if (name === 'cusolverDnXpotrf') calls++;
    call(name, ...how);
  };
  try {
    await work();
    return calls;
  } finally {
    library.call = call;
  }
}

/** Takes the step. */
export async function factors({ step, smoke }: NetworkStep): Promise<void> {
  const card = findCard();
  const found = card.findCusolver();
  if ('reason' in found) {
    tell({ step, leftOut: true, reason: found.reason });
    return;
  }
  const [own, other] = [Infinity, 0].map((least) => new CudaDevice(card, { memoryLimit: undefined, factors: least }));
  for (const precision of PRECISIONS) {
    for (const order of smoke ? [100, 530] : [512, 1024, 2048, 4096, 8192]) {
      const work = triangleOf(order);
      const ours = await measured(own, work, precision, 1);
      let theirs = ours;
      const calls = await countCalls(found.library, async () => {
        theirs = await measured(other, work, precision, 1);
      });
      const rate = { flops: ours.flops, ownMs: ours.ms, cusolverMs: theirs.ms, ratio: ours.ms / theirs.ms };
      judge({ step, precision, order, calls, ...rate, error: difference(theirs.result, ours.result) });
    }
    const order = smoke ? 70 : 1500;
    for (const pivot of FAILURES) {
      const pivots = [await told(own, order, precision, pivot), await told(other, order, precision, pivot)];
      const error = Math.max(...pivots.map((one) => Math.abs(one - (order >> 1) - 1)));
      judge({ step, precision, check: `a pivot that is ${pivot}`, pivots, error });
    }
  }
  await own.close();
  await other.close();
}
