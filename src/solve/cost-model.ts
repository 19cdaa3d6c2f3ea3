/**
 * What things cost: flops, and whatever takes as long, counted in the flops that gemm does meanwhile. Choices stand on
 * these numbers, not on the clock: they are the same under any load. The constants were measured with one worker at
 * some 50 Gflop/s of gemm (OpenBLAS, AVX2) and 27 GB/s of memory; `rates` are what another machine takes beside that
 * (calibrate.ts).
 */
import type { Subject } from '../approximation/subject.js';
import { BLOCK_SIZE } from '../krylov/block-conjugate-gradients.js';
import { lossOf } from '../network/losses/table.js';
import { DenseSource } from '../source/dense-source.js';
import { EntryOperator } from '../source/entry-operator.js';
import type { EntrySource } from '../source/entry-source.js';
import type { MachineRates } from './machine-rates.js';

/**
 * A stored number that is read and multiplied with one vector waits for memory as long as seven multiplications and
 * additions more would take; with many vectors each pass over them costs what 16 would. Where all of them fit the
 * caches it is a third of that, and half.
 */
const WAITS = { one: 7, many: 16 } as const;
const CACHED_WAITS = { one: 2, many: 8 } as const;
/** Flops with one vector of what fits the caches: 16 MB. */
const CACHED = 4e6;
/**
 * Products of a network take so many times the flops that they tell: with many vectors, and what one alone takes more.
 * The Hessian of softmax goes sample by sample: that is so much for each output, and for each vector besides. Entries
 * take so many times their flops.
 */
const OF_NETWORK = 0.7;
const OF_NETWORK_ALONE = 0.3;
const SOFTMAX = 5e3;
const SOFTMAX_VECTOR = 1.5e3;
const OF_NETWORK_ENTRY = 5;
/** An entry of a kernel over points in d dimensions, 300 + 5d: some 150 million of them a second on one core. */
const KERNEL = 300;
const KERNEL_DIMENSION = 5;
/** One of a stored matrix, in some order of its indices. */
const STORED = 20;
/** One of any other source. */
const UNKNOWN = 500;
/** Vectors with which an operator of entries multiplies what it has evaluated. */
const VECTORS_A_PASS = 256;
/** A call, a few passes over short vectors. */
const STEP = 1.2e6;
/** A number of a vector in an iteration: some ten passes over memory; */
export const VECTOR = 60;
/** of a block of p vectors also p times so many flops: their products with each other, and orthogonalization. */
const BLOCK = 140;

/** A pass over stored numbers that takes so many flops with one vector, with this number of them. */
export function ofStored(flops: number, vectors: number, { memory }: MachineRates): number {
  const { one, many } = flops <= CACHED ? CACHED_WAITS : WAITS;
  return flops * (vectors + memory * Math.min(one * vectors, many));
}

/** So many stored numbers beyond the caches, times so many vectors, on the machine that the constants are of. */
export const costOfPass = (numbers: number, vectors: number): number =>
  2 * numbers * (vectors + Math.min(WAITS.one * vectors, WAITS.many));

/** An entry of a kernel over points of this dimension, on that machine. */
export const costOfEntries = (dimension: number): number => KERNEL + KERNEL_DIMENSION * dimension;

/** An iteration of conjugate gradients beside its products. */
export const costOfVectors = (size: number, vectors: number, { steps }: MachineRates): number =>
  STEP + steps * size * vectors * (VECTOR + (vectors === 1 ? 0 : BLOCK * Math.min(vectors, BLOCK_SIZE)));

/** The Cholesky factorization of order m and its memory: as if m³/2 + 500·m² flops, of m = 700 to 4,096. */
export const costOfFactor = (order: number): number => order ** 3 / 2 + 500 * order ** 2;

/** An entry of the source. */
export function costOfEntry(subject: Subject, source: EntrySource, { entries }: MachineRates): number {
  if (subject.entryFlops !== undefined) return OF_NETWORK_ENTRY * subject.entryFlops;
  if (source instanceof DenseSource) return STORED;
  return source.points === undefined ? UNKNOWN : entries * costOfEntries(source.points.dimension);
}

/** Whether nobody knows what a product of the subject's operator takes: it is counted as one with a dense matrix. */
export const isAssumed = ({ operator, source }: Subject): boolean =>
  operator.flops === undefined && !(operator instanceof EntryOperator && source !== undefined);

/**
 * A product of the subject's operator with so many vectors: the flops that it tells. Where these are as many as those
 * of a stored dense matrix, or it does not tell them, it is one that reads N² numbers.
 */
export function costOfProduct(subject: Subject, rates: MachineRates): (vectors: number) => number {
  const { operator, compressed, source, curvature } = subject;
  const { rows, cols } = operator;
  const dense = 2 * rows * cols;
  if (operator instanceof EntryOperator && !operator.kept && source !== undefined) {
    const evaluated = rows * cols * costOfEntry(subject, source, rates);
    return (vectors) => evaluated * Math.ceil(vectors / VECTORS_A_PASS) + dense * vectors;
  }
  if (operator.flops === undefined) return (vectors) => ofStored(dense, vectors, rates);
  const one = operator.flops(1);
  if (compressed !== undefined || (curvature === undefined && one >= dense))
    return (vectors) => ofStored(one, vectors, rates);
  if (curvature !== undefined) {
    const { network, loss } = curvature.model;
    const outputs = lossOf(loss).softmax ? curvature.samples * network.outputs : 0;
    return (vectors) =>
      operator.flops!(vectors) * (OF_NETWORK + OF_NETWORK_ALONE / vectors) +
      outputs * (SOFTMAX + SOFTMAX_VECTOR * vectors);
  }
  return (vectors) => operator.flops!(vectors);
}

/** The operator and the entries of a subject whose products evaluate all entries anew. */
export interface Dear {
  readonly operator: EntryOperator;
  readonly source: EntrySource;
}

/** What is dear about a subject; undefined where nothing is. */
export function dearProducts({ operator, source, curvature }: Subject): Dear | undefined {
  return operator instanceof EntryOperator && !operator.kept && source !== undefined && curvature === undefined
    ? { operator, source }
    : undefined;
}
