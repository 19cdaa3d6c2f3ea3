/**
 * Functions of data and text that take numbers, by name.
 */
import * as hmatrix from '#hmatrix/index.js';

/** Numbers in any array. */
export type Numbers = ArrayLike<number>;
/** Its name in messages, the numbers, and what comes of them: an array. Whole numbers are told by `whole`. */
export interface Place {
  readonly name: RegExp;
  readonly numbers: () => Float64Array | Int32Array;
  readonly result: (numbers: Numbers) => Numbers | Promise<Numbers>;
}

/** As the table of number-places.ts, which holds these too. */
export const DATA_PLACES: Readonly<Record<string, readonly Place[]>> = {
  tokenAccuracy: [
    {
      name: /predicted/,
      numbers: () => Int32Array.of(4, 5),
      result: (tokens) => [hmatrix.text.tokenAccuracy(tokens, [4, 6], 0)],
    },
    {
      name: /expected/,
      numbers: () => Int32Array.of(4, 5),
      result: (tokens) => [hmatrix.text.tokenAccuracy([4, 6], tokens, 0)],
    },
  ],
  padTokens: [
    {
      name: /sequences\[0\]/,
      numbers: () => Int32Array.of(4, 5),
      result: (tokens) => hmatrix.text.padTokens([tokens], { pad: 0, bos: 1, eos: 2 }).data,
    },
  ],
};
