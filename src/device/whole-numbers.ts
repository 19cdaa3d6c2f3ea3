/**
 * Whole numbers that kernels read (portable-kernel.ts): numbers of a card's precision, in two halves of 16 bits.
 */
import { floats, type FloatArray, type Precision } from '../core/floats.js';

/** What a half counts to. */
const HALF = 2 ** 16;

/** Both halves of a whole number. */
export const halvesOf = (whole: number): readonly [number, number] => [Math.floor(whole / HALF), whole % HALF];

/** Both halves of each, one after the other. */
export function allHalves(numbers: ArrayLike<number>, precision: Precision): FloatArray {
  const halves = floats(2 * numbers.length, precision);
  for (let k = 0; k < numbers.length; k++) [halves[2 * k], halves[2 * k + 1]] = halvesOf(numbers[k]);
  return halves;
}

/** The text of a whole number whose halves stand in a buffer, the first at a place that begins so. */
export const wholeText = (buffer: string, place: string, word = 0): string =>
  `int(${buffer}[${place} + ${word}]) * ${HALF} + int(${buffer}[${place} + ${word + 1}])`;

/**
 * Sets `low` to the last of `count` ascending numbers that is not above `i`: their halves stand in a buffer at the
 * beginning of every so many words, and the first number is 0.
 */
export const lastBeginText = (buffer: string, words: number, count: string): string => `int low = 0;
int high = ${count};
for (int k = 0; k < 31; k++) {
  if (high - low > 1) {
    int middle = (low + high) / 2;
    int begin = ${wholeText(buffer, `${words} * middle`)};
    if (begin <= i) { low = middle; } else { high = middle; }
  }
}`;
