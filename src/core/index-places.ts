/**
 * Places of some of N indices among each other, in ascending order, in N/4 bytes: a bit for each index, and beside each
 * 32 of them how many stand before (G. Jacobson, *Space-efficient static trees and graphs*, FOCS 1989, section 2; the
 * counts lie with their bits, so that one line of the cache has both).
 */

/** Per 32 indices two numbers: their bits, and how many of lower ones are in. Empty where all are: each at its own. */
export type IndexPlaces = Int32Array;

/** Numbers that the places of some of `size` indices take. */
export const placesLength = (size: number): number => 2 * Math.ceil(size / 32);

/** Puts index i in; its place is known after `countPlaces`. `alone` says that no other thread does so meanwhile. */
export function putIndex(places: IndexPlaces, i: number, alone: boolean): void {
  const at = (i >>> 5) << 1;
  const bit = 1 << (i & 31);
  if ((places[at] & bit) !== 0) return;
  if (alone) places[at] |= bit;
  else Atomics.or(places, at, bit);
}

/** How many of 32 bits are set. */
function bitCount(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Counts those that were put in: then they have places. Returns how many there are. Cost: O(N/32). */
export function countPlaces(places: IndexPlaces): number {
  let count = 0;
  for (let at = 0; at < places.length; at += 2) {
    places[at + 1] = count;
    count += bitCount(places[at]);
  }
  return count;
}

/** How many are in some words of places. */
export function countWords(places: IndexPlaces, firstWord: number, endWord: number): number {
  let count = 0;
  for (let at = 2 * firstWord; at < 2 * endWord; at += 2) if (places[at] !== 0) count += bitCount(places[at]);
  return count;
}

/** Calls `visit` with each that was put in, ascending, and its place. Cost: O(N/32 + their number). */
export function visitPlaces(places: IndexPlaces, visit: (index: number, place: number) => void): void {
  for (let at = 0; at < places.length; at += 2) {
    let place = places[at + 1];
    for (let bits = places[at]; bits !== 0; bits &= bits - 1) visit(16 * at + 31 - Math.clz32(bits & -bits), place++);
  }
}

/** The place of index i; −1 where it is not in. Cost: O(1). Short, so that loops contain it where all are in. */
export const placeOf = (places: IndexPlaces, i: number): number => (places.length === 0 ? i : placeAmong(places, i));

/** How many lower ones are in than i, which is not. Cost: O(1). */
export function lowerIn(places: IndexPlaces, i: number): number {
  const at = (i >>> 5) << 1;
  return places[at + 1] + bitCount(places[at] & ((1 << (i & 31)) - 1));
}

function placeAmong(places: IndexPlaces, i: number): number {
  const at = (i >>> 5) << 1;
  const bits = places[at];
  const bit = 1 << (i & 31);
  return (bits & bit) === 0 ? -1 : places[at + 1] + bitCount(bits & (bit - 1));
}
