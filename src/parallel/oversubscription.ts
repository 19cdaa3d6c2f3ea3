/**
 * A word about teams of far more workers than cores.
 */
import { availableParallelism } from 'node:os';
import { warn } from '../core/warning.js';

/** Workers per core up to which nothing is said: tests, and a few teams side by side, stay below. */
const MOST_PER_CORE = 4;

/** Numbers of workers that were warned of. */
const warned = new Set<number>();

/** Warns of the process (code 'workers'), once for each number of workers that is more than four times the cores. */
export function warnOfWorkers(workers: number, cores = availableParallelism()): void {
  if (workers <= MOST_PER_CORE * cores || warned.has(workers)) return;
  warned.add(workers);
  const team = `A team of ${workers} workers on ${cores} core${cores === 1 ? '' : 's'}`;
  const why =
    'each is a thread with memory of its own, they wait for each other, and more than there are cores make ' +
    'nothing faster';
  warn('workers', `${team}: ${why}.`);
}
