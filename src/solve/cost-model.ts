/**
 * What things cost: flops, and whatever takes as long, counted in the flops that gemm does meanwhile. Choices stand on
 * these numbers, not on the clock: they are the same under any load.
 */
import type { Subject } from '../approximation/subject.js';
import { DenseSource } from '../source/dense-source.js';
import { EntryOperator } from '../source/entry-operator.js';
import type { EntrySource } from '../source/entry-source.js';

/**
 * A stored number that is read once and multiplied with fewer vectors waits for memory: 8 bytes come at some 8 GB/s
 * where gemm does some 60 Gflop/s.
 */
const VECTORS_AT_BALANCE = 32;
/** An entry of a kernel over points in d dimensions, 300 + 10d: some 150 million of them a second on one core. */
const KERNEL = 300;
const KERNEL_DIMENSION = 10;
/** One of a stored matrix, in some order of its indices. */
const STORED = 20;
/** One of any other source. */
const UNKNOWN = 500;
/** Vectors with which an operator of entries multiplies what it has evaluated. */
const VECTORS_A_PASS = 256;

/** A pass over stored numbers that takes so many flops with one vector, with this number of them. */
export const ofStored = (flops: number, vectors: number): number => flops * Math.max(vectors, VECTORS_AT_BALANCE);

/** An entry of the source. */
export function costOfEntry(subject: Subject, source: EntrySource): number {
  if (subject.entryFlops !== undefined) return subject.entryFlops;
  if (source instanceof DenseSource) return STORED;
  return source.points === undefined ? UNKNOWN : KERNEL + KERNEL_DIMENSION * source.points.dimension;
}

/** A product of the subject's operator with so many vectors; undefined where only the clock tells. */
export function costOfProduct(subject: Subject): ((vectors: number) => number) | undefined {
  const { operator, compressed, source } = subject;
  const { rows, cols } = operator;
  if (operator instanceof EntryOperator && !operator.kept) {
    if (source === undefined) return undefined;
    const evaluated = rows * cols * costOfEntry(subject, source);
    return (vectors) => evaluated * Math.ceil(vectors / VECTORS_A_PASS) + 2 * rows * cols * vectors;
  }
  if (operator.flops === undefined) return undefined;
  const flops = (vectors: number): number => operator.flops!(vectors);
  if (operator instanceof EntryOperator || compressed !== undefined) return (vectors) => ofStored(flops(1), vectors);
  return flops;
}
