/**
 * The ceilings of a card: how fast it copies, and cuBLAS's rate of matrix products.
 */
import { LibraryError } from '../src/core/errors.js';
import type { Precision } from '../src/core/floats.js';
import { median } from '../src/core/median.js';
import { MAJORS, toolkitCandidates } from '../src/device/cuda/candidates.js';
import { CudaContext } from '../src/device/cuda/context.js';
import { bindAll } from '../src/device/cuda/driver.js';
import { LaunchQueue, type Launch } from '../src/device/cuda/launches.js';
import type { FoundCard } from '../src/device/cuda/open.js';
import { arrayAddress } from '../src/native/koffi.js';
import { NativeLibrary } from '../src/native/library.js';
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

/** cuBLAS's functions: handles and addresses by p, integers by i. */
const CUBLAS = {
  cublasCreate_v2: 'p',
  cublasDestroy_v2: 'p',
  cublasSetStream_v2: 'pp',
  cublasDgemm_v2: 'piiiiippipippi',
  cublasSgemm_v2: 'piiiiippipippi',
} as const;

function openCublas(): ReturnType<typeof bindAll<keyof typeof CUBLAS>> {
  const reasons: string[] = [];
  for (const name of MAJORS.flatMap((major) => toolkitCandidates('cublas', major))) {
    try {
      return bindAll(new NativeLibrary([name], { remedy: 'Install cuBLAS.' }), CUBLAS, 'Install cuBLAS.');
    } catch (error) {
      if (!(error instanceof LibraryError)) throw error;
      reasons.push(error.message);
    }
  }
  throw new LibraryError(reasons.join('; '));
}

/** The card's memory, buffers of so many bytes with random numbers in the first two, until `work` is done. */
async function withBuffers<T>(
  card: FoundCard,
  size: number,
  work: (context: CudaContext, buffers: readonly number[]) => Promise<T>,
): Promise<T> {
  const context = new CudaContext(card.driver, card.device);
  context.enter();
  const buffers = [1, 2, 3].map(() => context.allocate(size)!);
  const numbers = randomNumbers(2 ** 20, 'f64', 1);
  for (let at = 0; at < size; at += numbers.byteLength) {
    const part = numbers.subarray(0, Math.min(numbers.length, (size - at) / 8));
    for (const buffer of buffers.slice(0, 2)) context.send(buffer + at, part);
  }
  const result = await work(context, buffers);
  for (const buffer of buffers) context.free(buffer);
  context.close();
  return result;
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
      await gemmRate(context, 'f64', order, buffers),
      await gemmRate(context, 'f32', order, buffers),
    ];
  });
}

/** cuBLAS's rate of products of matrices of order `order`. */
export const gemm = async (card: FoundCard, precision: Precision, order: number): Promise<Rate> =>
  withBuffers(card, 8 * order ** 2, async (context, buffers) => gemmRate(context, precision, order, buffers));

async function gemmRate(
  context: CudaContext,
  precision: Precision,
  order: number,
  [a, b, c]: readonly number[],
): Promise<Rate> {
  const rate = `gemm of cuBLAS, ${precision}, order ${order}, flops/s`;
  try {
    const cublas = openCublas();
    const handle = new BigInt64Array(1);
    const check = (status: number): void => {
      if (status !== 0) throw new LibraryError(`cuBLAS fails with status ${status}.`);
    };
    check(cublas.cublasCreate_v2(arrayAddress(handle)));
    const own = Number(handle[0]);
    check(cublas.cublasSetStream_v2(own, context.stream));
    // The random bytes of float64 are no numbers of float32 to compute with.
    if (precision === 'f32') {
      const numbers = randomNumbers(2 ** 20, 'f32', 1);
      for (let at = 0; at < order ** 2; at += numbers.length)
        for (const buffer of [a, b])
          context.send(buffer + 4 * at, numbers.subarray(0, Math.min(numbers.length, order ** 2 - at)));
    }
    const [one, zero] =
      precision === 'f64' ? [1, 0].map((v) => Float64Array.of(v)) : [1, 0].map((v) => Float32Array.of(v));
    const gemm = precision === 'f64' ? cublas.cublasDgemm_v2 : cublas.cublasSgemm_v2;
    const [alpha, beta] = [arrayAddress(one), arrayAddress(zero)];
    const taken = await seconds(context, () => {
      check(gemm(own, 0, 0, order, order, order, alpha, a, order, b, order, beta, c, order));
    });
    cublas.cublasDestroy_v2(own);
    return { rate, value: (2 * order ** 3) / taken };
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    return { rate, value: NaN, reason: error.message };
  }
}
