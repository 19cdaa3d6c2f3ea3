/**
 * Kernels of single numbers, written once for all cards: a thread for each number of the result, or a group of threads
 * for each sum. The text is C, as far as WGSL has the same: declarations `int n = …;` and `real x = …;`, assignments,
 * `if`, `for (int k = 0; k < n; k++)`, arithmetic (that of `int` is of whole numbers), numbers of `real` with a point,
 * and the functions exp, log, sqrt, tanh, abs, min, max, floor, int(x), real(n), select(no, yes, condition). `i` is the
 * thread's number; parameters and buffers go by their names.
 *
 * Sums run in an order that depends on their length alone: equal launches give equal bits.
 */
import { ShapeError } from '../core/errors.js';
import type { Precision } from '../core/floats.js';

/** A kernel. Kernels of one name are one. */
export interface PortableKernel {
  readonly name: string;
  /** Buffers that it reads and writes: each is another one. */
  readonly buffers: readonly string[];
  /** Parameters of a launch: whole numbers, and numbers of the buffers' precision. */
  readonly integers: readonly string[];
  readonly reals?: readonly string[] | undefined;
  /** What thread i does; of a sum what follows once it is known as `total`. */
  readonly body: string;
  /** A sum of each i over `terms` numbers, k from 0 on: `value` is set by the text. */
  readonly sum?: KernelSum | undefined;
}

/** What is added up, or compared, for each i. */
export interface KernelSum {
  /** How many terms: one of the integers. */
  readonly terms: string;
  /** Sets `value` for term k of sum i. */
  readonly text: string;
  /** `total` is the sum, or the largest of the values. */
  readonly join: 'sum' | 'max';
}

/** What a launch of a kernel works on, B the buffers of a device. */
export interface KernelArguments<B extends KernelBuffer = KernelBuffer> {
  /** The i of the launch run from 0 to count − 1. */
  readonly count: number;
  readonly buffers: readonly B[];
  readonly integers: readonly number[];
  readonly reals?: readonly number[] | undefined;
}

/** What is asked of a buffer. */
export interface KernelBuffer {
  readonly precision: Precision;
}

/** A launch whose parameters lie on the device: it can be handed over again and again. */
export interface PreparedKernel {
  readonly bytes: number;
  /** Frees it; a second time does nothing. */
  destroy(): void;
}

/** Numbers of a buffer at most: kernels count places in 32 bits. */
export const MOST_NUMBERS = 2 ** 31;
/** Sums of so few terms are made by one thread each. */
export const SHORT_SUM = 32;
/** Threads of a group. */
export const GROUP_THREADS = 256;

/** Throws ShapeError unless the arguments are what the kernel has parameters for, whole numbers of 32 bits. */
export function checkKernelArguments(
  kernel: PortableKernel,
  { count, buffers, integers, reals = [] }: KernelArguments,
): void {
  const { name } = kernel;
  const wanted = [kernel.buffers.length, kernel.integers.length, kernel.reals?.length ?? 0];
  [buffers.length, integers.length, reals.length].forEach((given, k) => {
    if (given !== wanted[k])
      throw new ShapeError(
        `The kernel ${name} takes ${wanted[k]} ${['buffers', 'integers', 'reals'][k]}, not ${given}.`,
        { kernel: name, given, wanted: wanted[k] },
      );
  });
  for (const value of [count, ...integers])
    if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 31)
      throw new ShapeError(`The kernel ${name} is given ${value}: whole numbers below 2³¹.`, { kernel: name, value });
  if (count < 0) throw new ShapeError(`The kernel ${name} cannot run ${count} times.`, { kernel: name, count });
  if (new Set(buffers).size !== buffers.length)
    throw new ShapeError(`The kernel ${name} is given one buffer twice.`, { kernel: name });
  if (new Set(buffers.map(({ precision }) => precision)).size > 1)
    throw new ShapeError(`The buffers of the kernel ${name} have different precisions: all must have one.`, {
      kernel: name,
    });
}

/** Whether each sum of a launch is made by one thread; of kernels without a sum true. */
export const isByThread = ({ sum, integers: names }: PortableKernel, { integers }: KernelArguments): boolean =>
  sum === undefined || integers[names.indexOf(sum.terms)] <= SHORT_SUM;
