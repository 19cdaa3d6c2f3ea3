/**
 * The ceilings of a card: how fast it copies, and cuBLAS's rate of matrix products.
 */
import { HmatrixError } from '../src/core/errors.js';
import type { Precision } from '../src/core/floats.js';
import { median } from '../src/core/median.js';
import { CudaContext } from '../src/device/cuda/context.js';
import { CublasHandle } from '../src/device/cuda/cublas-handle.js';
import { LaunchQueue, type Launch } from '../src/device/cuda/launches.js';
import type { FoundCard } from '../src/device/cuda/open.js';
import { arrayAddress } from '../src/native/koffi.js';
import { randomNumbers } from './device-checks.js';

/** A rate: bytes read and written, or flops, a second. */
export interface Rate {
  readonly rate: string;
  /** NaN where it could not be measured, for the reason. */
  readonly value: number;
  readonly reason?: string | undefined;
}

const TIMES = 7;
const THREADS = 256;
const COPY = `
struct Parameters { const double2* from; double2* to; long long count; };
extern "C" __global__ void __launch_bounds__(${THREADS}) copy(const Parameters p) {
  const long long first = (long long)blockIdx.x * ${4 * THREADS} + threadIdx.x;
  #pragma unroll
  for (int n = 0; n < 4; n++) {
    const long long i = first + n * ${THREADS};
    if (i < p.count) p.to[i] = p.from[i];
  }
}
`;

/** Median seconds of what is handed over at once. */
async function seconds(context: CudaContext, work: () => void): Promise<number> {
  const times: number[] = [];
  for (let k = 0; k <= TIMES; k++) {
    const began = performance.now();
    work();
    await context.finish();
    // The first one compiles and warms up.
    if (k > 0) times.push((performance.now() - began) / 1000);
  }
  return median(times);
}

function copyLaunch(
  { compiler, architecture }: FoundCard,
  context: CudaContext,
  [from, to, bytes]: readonly number[],
): Launch {
  const image = compiler.compile(() => COPY, 'copy', architecture);
  const handle = context.made('cuModuleLoadData', arrayAddress(image));
  const kernel = context.made('cuModuleGetFunction', handle, arrayAddress(new TextEncoder().encode('copy\0')));
  const count = bytes / 16;
  const parameters = BigInt64Array.of(BigInt(from), BigInt(to), BigInt(count));
  return { kernel, blocks: Math.ceil(count / (4 * THREADS)), threads: THREADS, parameters, memory: [] };
}

/** The card's memory, buffers of so many bytes with random numbers in the first two, until `work` is done. */
async function withBuffers<T>(
  card: FoundCard,
  size: number,
  work: (context: CudaContext, buffers: readonly number[]) => Promise<T>,
): Promise<T> {
  const context = new CudaContext(card.driver, card.device);
  const buffers: number[] = [];
  try {
    context.enter();
    for (let k = 0; k < 3; k++) buffers.push(context.made('cuMemAlloc_v2', size));
    const numbers = randomNumbers(2 ** 20, 'f64', 1);
    for (let at = 0; at < size; at += numbers.byteLength) {
      const part = numbers.subarray(0, Math.min(numbers.length, (size - at) / 8));
      for (const buffer of buffers.slice(0, 2)) context.send(buffer + at, part);
    }
    return await work(context, buffers);
  } finally {
    for (const buffer of buffers) context.free(buffer);
    context.close();
  }
}

/** Rates of the card, with buffers of `bytes` and products of matrices of order `order`. */
export async function rates(card: FoundCard, bytes: number, order: number): Promise<Rate[]> {
  return withBuffers(card, Math.max(bytes, 8 * order ** 2), async (context, buffers) => {
    const queue = new LaunchQueue(context);
    const launch = copyLaunch(card, context, [buffers[0], buffers[1], bytes]);
    const copying = await seconds(context, () => {
      queue.add(launch);
      queue.submit();
    });
    return [
      { rate: 'copy, bytes/s', value: (2 * bytes) / copying },
      await gemmRate({ card, context }, 'f64', order, buffers),
      await gemmRate({ card, context }, 'f32', order, buffers),
    ];
  });
}

/** cuBLAS's rate of products of matrices of order `order`. */
export const gemm = async (card: FoundCard, precision: Precision, order: number): Promise<Rate> =>
  withBuffers(card, 8 * order ** 2, async (context, buffers) => gemmRate({ card, context }, precision, order, buffers));

async function gemmRate(
  { card, context }: { readonly card: FoundCard; readonly context: CudaContext },
  precision: Precision,
  order: number,
  [a, b, c]: readonly number[],
): Promise<Rate> {
  const rate = `gemm of cuBLAS, ${precision}, order ${order}, flops/s`;
  const found = card.findCublas();
  if ('reason' in found) return { rate, value: NaN, reason: found.reason };
  // The random bytes of float64 are no numbers of float32 to compute with.
  if (precision === 'f32') {
    const numbers = randomNumbers(2 ** 20, 'f32', 1);
    for (let at = 0; at < order ** 2; at += numbers.length)
      for (const buffer of [a, b])
        context.send(buffer + 4 * at, numbers.subarray(0, Math.min(numbers.length, order ** 2 - at)));
  }
  const flops = 2 * order ** 3;
  let handle: CublasHandle | undefined;
  try {
    handle = new CublasHandle(found.library, context, card.architecture);
    const shape = { m: order, n: order, k: order, transposed: [false, false], ld: [order, order, order] } as const;
    const places = [0, 0, 0] as const;
    const call = handle.prepare(
      {
        form: 'one',
        shapes: [shape],
        counts: [1],
        offsets: [places],
        strides: places,
        swapped: false,
        goesOn: false,
        flops,
      },
      { precision, addresses: [a, b, c], alpha: 1, beta: 0 },
    );
    return { rate, value: flops / (await seconds(context, call)) };
  } catch (error) {
    if (!(error instanceof HmatrixError)) throw error;
    return { rate, value: NaN, reason: error.message };
  } finally {
    handle?.close();
  }
}
