/**
 * Functions that solve at once, here or on a device: the numbers and the options that they take, by name.
 */
import * as hmatrix from '#hmatrix/index.js';
import type { Numbers, Place } from './data-number-places.js';
import type { Entry } from './data-options.js';
import { fractions, SIZE, type Fixtures } from './fixtures.js';

/** An inverse that is none. */
export const SAME: hmatrix.krylov.AsyncInverse = {
  rows: SIZE,
  solve: async (r, out) => {
    out.data.set(r.data as Float64Array);
  },
};

const vector = (): Float64Array => fractions(SIZE, 5);
const place = (name: RegExp, solve: (numbers: Numbers, x: hmatrix.Matrix) => unknown): Place => ({
  name,
  numbers: vector,
  result: async (numbers) => {
    const x = hmatrix.dense.zeros(SIZE, 1);
    await solve(numbers, x);
    return x.data;
  },
});

/** Places of numbers. */
export const solverPlaces = (f: () => Fixtures): Readonly<Record<string, readonly Place[]>> => {
  const { conjugateGradients, deviceConjugateGradients, refine } = hmatrix.krylov;
  return {
    conjugateGradients: [place(/\bb/, (b, x) => conjugateGradients(f().operator, b, x))],
    deviceConjugateGradients: [
      place(/\bb/, (b, x) => deviceConjugateGradients(f().onDevice, b, x)),
      place(/guess/, (guess, x) => deviceConjugateGradients(f().onDevice, vector(), x, { guess, maxIterations: 1 })),
      place(/preconditioner/, (preconditioner, x) =>
        deviceConjugateGradients(f().onDevice, vector(), x, { preconditioner, maxIterations: 1 }),
      ),
    ],
    refine: [
      place(/\bb/, (b, x) => refine(f().operator, SAME, b, x, { maxIterations: 1 })),
      place(/guess/, (guess, x) => refine(f().operator, SAME, vector(), x, { guess, maxIterations: 1 })),
    ],
  };
};

/** Options. */
export const solverOptions = (f: () => Fixtures): Readonly<Record<string, readonly Entry[]>> => {
  const x = (): hmatrix.Matrix => hmatrix.dense.zeros(SIZE, 1);
  const { conjugateGradients, deviceConjugateGradients, refine } = hmatrix.krylov;
  return {
    conjugateGradients: [['preconditioner', (o) => conjugateGradients(f().operator, vector(), x(), o)]],
    deviceConjugateGradients: [
      ['maxIterations', (o) => deviceConjugateGradients(f().onDevice, vector(), x(), o)],
      ['shift', async (o) => (await f().onDevice.factor(o)).release()],
      ['precision', async (o) => (await f().matrix.to(f().onDevice.device, o)).release()],
      [
        'precision',
        async (o) => {
          const factored = await hmatrix.factor(f().matrix, {}, { team: f().team });
          (await factored.to(f().onDevice.device, o)).release();
        },
      ],
    ],
    refine: [['maxIterations', (o) => refine(f().operator, SAME, vector(), x(), o)]],
  };
};
