/**
 * What ranks must agree upon: a choice that depends on a machine's memory, say, is the same on all of them.
 */
import type { Communicator } from './communicator.js';

/** The least of all ranks' numbers. Collective. */
export function agreedLeast(communicator: Communicator, value: number): number {
  if (communicator.size === 1) return value;
  const least = Float64Array.of(value);
  communicator.allreduce(least, 'min');
  return least[0];
}

/** Whether it is so on one of the ranks: on what a clock says, all decide alike. Collective. */
export function agreedAny(communicator: Communicator, isSo: boolean): boolean {
  if (communicator.size === 1) return isSo;
  const any = Int32Array.of(isSo ? 1 : 0);
  communicator.allreduce(any, 'max');
  return any[0] === 1;
}

/** Numbers of a text's digest. */
const DIGEST = 2;
const PRIMES = [31, 1_000_003];

/** How many ranks gave the same text as this one. Collective. */
export function ranksAlike(communicator: Communicator, text: string): number {
  const { rank, size } = communicator;
  const all = new Float64Array(DIGEST * size);
  PRIMES.forEach((prime, k) => {
    let digest = 0;
    for (const character of text) digest = (Math.imul(digest, prime) + character.codePointAt(0)!) >>> 0;
    all[DIGEST * rank + k] = digest;
  });
  communicator.allgather(undefined, all, new Array<number>(size).fill(DIGEST));
  let alike = 0;
  for (let r = 0; r < size; r++) if (PRIMES.every((_, k) => all[DIGEST * r + k] === all[DIGEST * rank + k])) alike++;
  return alike;
}
