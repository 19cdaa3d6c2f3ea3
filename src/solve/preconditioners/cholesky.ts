/**
 * The dense Cholesky factorization as a preconditioner: the inverse itself.
 */
import type { Subject } from '../../approximation/subject.js';
import { toShared } from '../../core/shared-array.js';
import { availableMemory } from '../../io/machine.js';
import type { MachineRates } from '../machine-rates.js';
import { costOfEntry, costOfFactor, ofStored } from '../cost-model.js';
import { invertibleBlocks, layOutBlocks, numbered } from './block-inverse.js';
import { entriesOf, type PreconditionerKind } from './kind.js';

/** Cost of the factor; Infinity where there are no entries. */
export function costOfCholesky(subject: Subject, rates: MachineRates): number {
  const { source } = subject;
  if (source === undefined) return Infinity;
  return source.size ** 2 * costOfEntry(subject, source, rates) + costOfFactor(source.size);
}

/** One step solves, the next one mends rounding. */
const ITERATIONS = 2;

/**
 * M = (A + λI)⁻¹ by LAPACK. Cost: N² entries, N³/3 flops, 16N² bytes. Throws OptionError without entries, MemoryError,
 * NotPositiveDefiniteError, AbortedError.
 */
export const cholesky: PreconditionerKind = {
  make: (subject, _, { memoryLimit }, control) => {
    const source = entriesOf(subject, 'cholesky');
    const whole = layOutBlocks(numbered(source.size), toShared(Int32Array.of(0, source.size)));
    return invertibleBlocks(source, whole, { order: source.size }, memoryLimit, control);
  },
  predict: (subject, { size, product, vectors, rates }, { memoryLimit = availableMemory() }) =>
    subject.source === undefined || 16 * size ** 2 > memoryLimit
      ? []
      : [
          {
            iterations: ITERATIONS,
            atLeast: false,
            details: `order ${size}`,
            setup: costOfCholesky(subject, rates),
            step: product(vectors) + ofStored(2 * size ** 2, vectors, rates),
          },
        ],
};
