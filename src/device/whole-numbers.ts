/**
 * Whole numbers that kernels read (portable-kernel.ts): numbers of a card's precision, in two halves of 16 bits.
 */

/** What a half counts to. */
const HALF = 2 ** 16;

/** Both halves of a whole number. */
export const halvesOf = (whole: number): readonly [number, number] => [Math.floor(whole / HALF), whole % HALF];

/** The text of a whole number whose halves stand in a buffer, the first at a place that begins so. */
export const wholeText = (buffer: string, place: string, word = 0): string =>
  `int(${buffer}[${place} + ${word}]) * ${HALF} + int(${buffer}[${place} + ${word + 1}])`;
