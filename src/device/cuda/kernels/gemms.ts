/**
 * Steps of cuBLAS, and the kernel that writes the addresses which its calls read: where the operands lie, and offsets.
 */
import type { BlockProducts } from '../../work/products.js';
import type { GemmCall } from '../gemms.js';
import { stepKernel, type Step } from './step.js';

/** A step that is a call of cuBLAS. */
export interface GemmStep {
  readonly gemm: GemmCall;
  /** The operands of the work that A, B and C are of. */
  readonly operands: readonly string[];
  readonly alpha: number;
  readonly beta: number;
  /** What comes before it where it reads addresses: a step whose second list becomes those of all A, all B, all C. */
  readonly addresses: Step | undefined;
}

const THREADS = 128;

const ADDRESSES = `
  const long long i = blockIdx.x * ${THREADS} + threadIdx.x, count = (long long)p.numbers[0];
  if (i < 3 * count) ((real**)p.lists[1])[i] = p.operands[i / count] + word(p.lists[0], i);`;

function addressStep({ offsets }: GemmCall, operands: readonly string[]): Step {
  const count = offsets.length;
  const list = Float64Array.from({ length: 3 * count }, (_, i) => offsets[i % count][Math.floor(i / count)]);
  return {
    kernel: (precision) => stepKernel('addresses', precision, THREADS, ADDRESSES),
    lists: [list, new Float64Array(list.length)],
    operands,
    numbers: [count],
    blocks: () => Math.ceil((3 * count) / THREADS),
  };
}

/** The steps; `operands` of the work are A, B and C. */
export const gemmSteps = (
  calls: readonly GemmCall[],
  { alpha, beta }: BlockProducts,
  [a, b, c]: readonly string[],
): GemmStep[] =>
  calls.map((gemm) => {
    const operands = gemm.swapped ? [b, a, c] : [a, b, c];
    const listed = gemm.form === 'batched' || gemm.form === 'grouped';
    return {
      gemm,
      operands,
      alpha,
      beta: gemm.goesOn ? 1 : beta,
      addresses: listed ? addressStep(gemm, operands) : undefined,
    };
  });
