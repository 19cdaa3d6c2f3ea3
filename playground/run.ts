/**
 * What a task of the worker is given.
 */
import type { Team } from 'hmatrix';
import type { Progress } from 'hmatrix';
import { kernelOfFamily } from 'hmatrix/kernels';
import { kernelSource } from 'hmatrix/sources';
import type { EntrySource } from 'hmatrix/sources';
import { cloudPoints } from './clouds.js';
import type { Answer, KernelProblem, OwnPoints } from './protocol.js';

/** Where a task computes and whom it tells. */
export interface Run {
  readonly control: {
    readonly team: Team;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: Progress) => void;
  };
  readonly answer: (answer: Answer) => void;
}

/** The matrix of a problem, of its first `most` points, and the points. */
export function matrixOf(
  { cloud, count, own, kernel, bandwidth }: KernelProblem,
  { team }: Run['control'],
  most = Infinity,
): { readonly points: OwnPoints; readonly source: EntrySource } {
  const taken = Math.min(count, most);
  const points =
    own === undefined
      ? cloudPoints(cloud, taken)
      : {
          dimension: own.dimension,
          count: Math.min(own.count, taken),
          coordinates: own.coordinates.subarray(0, own.dimension * Math.min(own.count, taken)),
        };
  return { points, source: kernelSource(points, kernelOfFamily(kernel, bandwidth), { blas: team.blas }) };
}
