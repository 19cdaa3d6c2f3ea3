/**
 * A step of planned work: a kernel, what it reads, and how many blocks of threads run it.
 */
import type { Precision } from '../../../core/floats.js';
import type { BlockRows } from '../../block-rows.js';
import { REAL, type KernelSource } from './source.js';

/** The operand that is memory of the work's own. */
export const SCRATCH = 'scratch';

/** Lists, operands and numbers of a step at most. */
export const MOST = { lists: 3, operands: 4, numbers: 9 } as const;

/** A step by a kernel of its own. */
export interface Step {
  readonly kernel: (precision: Precision, width: number) => KernelSource;
  readonly lists: readonly Float64Array[];
  /** Operands of the work, as the kernel numbers them. */
  readonly operands: readonly string[];
  readonly numbers: readonly number[];
  /** Blocks of threads, for vectors of that width. */
  readonly blocks: (width: number) => number;
  /** Flops with those of tiles that are not full; default: those of the work. */
  readonly padded?: number | undefined;
}

/** A step by the kernel of block rows. */
export interface RowsStep {
  readonly rows: BlockRows;
  /** The operands of the work that the blocks and the vectors are. */
  readonly values: string;
  readonly vectors: string;
}

/** What all kernels of steps are given; lists are of whole numbers. */
export const PARAMETERS = `
struct Parameters {
  const double* lists[${MOST.lists}]; real* operands[${MOST.operands}]; double numbers[${MOST.numbers}];
  long long width;
};
__device__ __forceinline__ long long word(const double* list, long long i) { return (long long)__ldg(list + i); }
`;

/** A kernel that is no tile of a product: a function `body` of the parameters. */
export function stepKernel(name: string, precision: Precision, threads: number, body: string): KernelSource {
  const own = `${name}_${precision}`;
  return {
    name: own,
    threads,
    source: () => `
typedef ${REAL[precision]} real;
${PARAMETERS}
extern "C" __global__ void __launch_bounds__(${threads}) ${own}(const Parameters p) {
${body}
}
`,
  };
}
