/**
 * Numbers that every rank has for some others, of which these do not know how many there are.
 */
import type { Communicator } from './communicator.js';
import { together } from './together.js';

/** Numbers for ranks, or of ranks, one part after another in their order, and how many each part has. */
export interface Parts {
  readonly numbers: Int32Array;
  readonly counts: Int32Array;
}

/**
 * Parts for each rank from what `each` puts: it is called twice, and puts the same numbers both times, `width` for a
 * rank at a time.
 */
export function partsOf(
  size: number,
  width: number,
  each: (put: (rank: number, number: number, next?: number) => void) => void,
): Parts {
  const counts = new Int32Array(size);
  each((rank) => {
    counts[rank] += width;
  });
  const at = new Int32Array(size);
  for (let r = 1; r < size; r++) at[r] = at[r - 1] + counts[r - 1];
  const numbers = new Int32Array(at[size - 1] + counts[size - 1]);
  each((rank, number, next = 0) => {
    numbers[at[rank]] = number;
    if (width > 1) numbers[at[rank] + 1] = next;
    at[rank] += width;
  });
  return { numbers, counts };
}

/**
 * Collective: part r goes to rank r; returns what comes from all. Two alltoalls, of a number each and of the parts;
 * between them all hear whether one has no memory for what comes. Throws MemoryError.
 */
export function exchangeParts(communicator: Communicator, { numbers, counts }: Parts): Parts {
  const { size } = communicator;
  const one = new Array<number>(size).fill(1);
  const coming = new Int32Array(size);
  communicator.alltoall(counts, one, coming, one);
  const received = together(communicator, () => new Int32Array(coming.reduce((sum, count) => sum + count, 0)));
  communicator.alltoall(numbers, counts, received, coming);
  return { numbers: received, counts: coming };
}
