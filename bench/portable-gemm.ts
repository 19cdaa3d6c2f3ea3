/**
 * The portable backend's gemm on one thread: in Node and, bundled, in a browser (bench/browser.ts).
 */
import { RandomStream } from '../src/core/random.js';
import { openBlas } from '../src/dense/backend.js';
import { zeros } from '../src/dense/matrix.js';

/** Flops of a sample: some milliseconds, for a browser's clock ticks every 0.1 ms. */
const SAMPLE = 3e8;

/** GFLOP/s of C ← A·B with n × n matrices of float64: the fastest of as many samples as fit into so many seconds. */
export function portableGemm(n: number, seconds: number): number {
  const blas = openBlas('portable');
  const [a, b, c] = [zeros(n, n), zeros(n, n), zeros(n, n)];
  const random = new RandomStream(n);
  random.fillNormal(a.data);
  random.fillNormal(b.data);
  const products = Math.ceil(SAMPLE / (2 * n ** 3));
  let least = Infinity;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end;) {
    const began = performance.now();
    for (let k = 0; k < products; k++) blas.gemm('N', 'N', 1, a, b, 0, c);
    least = Math.min(least, performance.now() - began);
  }
  return (2 * n ** 3 * products) / least / 1e6;
}
