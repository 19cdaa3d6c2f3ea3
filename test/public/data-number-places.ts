/**
 * Functions of data and text that take numbers, by name.
 */
import { join } from 'node:path';
import * as hmatrix from '#hmatrix/index.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const folder = temporaryFolder();

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
  writeTensors: [
    {
      name: /"w"\.data/,
      numbers: () => Float64Array.of(0.5, 0.25),
      result: async (data) => {
        const path = join(folder, 'one.npz');
        await hmatrix.io.writeTensors(path, { w: { shape: [2], data } });
        return (await hmatrix.io.readTensors(path)).tensors.get('w')!.data;
      },
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
