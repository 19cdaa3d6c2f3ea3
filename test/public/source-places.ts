/**
 * Functions of points and kernels: the numbers and the options that they take, by name.
 */
import * as hmatrix from '#hmatrix/index.js';
import type { Numbers, Place } from './data-number-places.js';
import type { Entry } from './data-options.js';
import { fractions, SIZE, type Fixtures } from './fixtures.js';

const kernel = hmatrix.kernels.gaussian(1);

/** All entries. */
export const entriesOf = (source: hmatrix.EntrySource): Numbers => {
  const out = hmatrix.dense.zeros(source.size, source.size);
  const all = Int32Array.from({ length: source.size }, (_, i) => i);
  source.entries(all, all, out);
  return out.data;
};

/** Places of numbers. */
export const sourcePlaces = (f: () => Fixtures): Readonly<Record<string, readonly Place[]>> => {
  const { kernelBlock, medianBandwidth, partitionedBandwidth } = hmatrix.kernels;
  const { partitionedKernelSource } = hmatrix.sources;
  const ofPoints = (result: (given: hmatrix.GivenPoints) => Numbers | Promise<Numbers>): Place => ({
    name: /coordinates/,
    numbers: () => f().points.coordinates,
    result: (coordinates) => result({ dimension: 2, count: SIZE, coordinates }),
  });
  const ofNugget = (source: (nugget: Numbers) => hmatrix.EntrySource | Promise<hmatrix.EntrySource>): Place => ({
    name: /nugget/,
    numbers: () => fractions(SIZE, 3).map(Math.abs),
    result: async (nugget) => entriesOf(await source(nugget)),
  });
  const ofBlock = async (targets: hmatrix.GivenPoints, given: hmatrix.GivenPoints): Promise<Numbers> =>
    hmatrix.operators.apply(await kernelBlock(kernel, targets, given, {}, { team: f().team }), fractions(SIZE, 7)).data;
  return {
    kernelSource: [
      ofPoints((given) => entriesOf(hmatrix.kernelSource(given, kernel))),
      ofNugget((nugget) => hmatrix.kernelSource(f().points, kernel, { nugget })),
    ],
    partitionedKernelSource: [
      ofPoints(async (given) => entriesOf(await partitionedKernelSource(given, kernel))),
      ofNugget((nugget) => partitionedKernelSource(f().points, kernel, { nugget })),
    ],
    ard: [
      {
        name: /lengthScales/,
        numbers: () => Float64Array.of(0.5, 2),
        result: (scales) => entriesOf(hmatrix.kernelSource(f().points, hmatrix.kernels.ard(kernel, scales))),
      },
    ],
    kernelBlock: [ofPoints((given) => ofBlock(f().points, given)), ofPoints((given) => ofBlock(given, f().points))],
    medianBandwidth: [ofPoints((given) => [medianBandwidth(given, 0)])],
    partitionedBandwidth: [ofPoints(async (given) => [await partitionedBandwidth(given)])],
  };
};

/** Options. */
export const sourceOptions = (f: () => Fixtures): Readonly<Record<string, readonly Entry[]>> => {
  const { kernelBlock, partitionedBandwidth } = hmatrix.kernels;
  const { partitionedKernelSource } = hmatrix.sources;
  return {
    kernelSource: [
      ['ridge', (o) => hmatrix.kernelSource(f().points, kernel, o)],
      ['nugget', (o) => hmatrix.kernelSource(f().points, kernel, o)],
    ],
    partitionedKernelSource: [
      ['ridge', (o) => partitionedKernelSource(f().points, kernel, o)],
      ['nugget', (o) => partitionedKernelSource(f().points, kernel, o)],
      ['team', (o) => partitionedKernelSource(f().points, kernel, {}, o)],
    ],
    partitionedBandwidth: [['team', (o) => partitionedBandwidth(f().points, 0, 100, o)]],
    kernelBlock: [
      ['keepBytes', (o) => kernelBlock(kernel, f().points, f().points, o)],
      ['team', (o) => kernelBlock(kernel, f().points, f().points, {}, o)],
    ],
  };
};
