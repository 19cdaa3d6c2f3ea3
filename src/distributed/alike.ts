/**
 * Whether ranks were given the same: what differs would let them wait for each other, or make numbers that belong to
 * nothing.
 */
import { CommunicationError } from '../core/errors.js';
import type { Communicator } from './communicator.js';

/** Numbers of an array that are looked at, evenly spread over it. */
const LOOKED_AT = 65_536;
const [OFFSET, PRIME] = [0x811c9dc5, 0x01000193];

/** What is compared: texts, or arrays of numbers. */
export type Alike = Readonly<Record<string, string | ArrayLike<number> | undefined>>;

/** 32 bits of a text, or of the length and up to 65,536 numbers of an array (FNV-1a, over words of 32 bits). */
function digestOf(of: string | ArrayLike<number> | undefined): number {
  const number = new Float64Array(1);
  const words = new Uint32Array(number.buffer);
  let digest = OFFSET;
  const add = (value: number): void => {
    number[0] = value;
    for (const word of words) digest = Math.imul(digest ^ word, PRIME);
  };
  if (of === undefined) return 0;
  add(of.length);
  const step = Math.max(1, Math.ceil(of.length / LOOKED_AT));
  for (let k = 0; k < of.length; k += step) add(typeof of === 'string' ? of.charCodeAt(k) : of[k]);
  return digest >>> 0;
}

/**
 * Collective: throws CommunicationError, on all ranks, where `what` differs between them, as far as texts and up to
 * 65,536 numbers of each array tell. One allreduce of two numbers for each.
 */
export function requireAlike(communicator: Communicator, of: string, what: Alike): void {
  const { rank, size } = communicator;
  if (size === 1) return;
  const names = Object.keys(what);
  const digests = Float64Array.from(names, (name) => digestOf(what[name]));
  const most = Float64Array.of(...digests, ...digests.map((digest) => -digest));
  communicator.allreduce(most, 'max');
  const different = names.filter((_, k) => most[k] !== -most[names.length + k]);
  if (different.length === 0) return;
  throw new CommunicationError(
    `The ranks gave ${of} different ${different.join(' and ')}: all of them must call it with the same.`,
    { rank, size, different },
  );
}
