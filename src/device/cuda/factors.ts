/**
 * Which triangles cuSOLVER factors. Our own kernels (kernels/triangles.ts) factor all triangles of a launch together,
 * three launches for 32 columns of the largest, one after the other; cuSOLVER takes one triangle a call. It has the
 * largest ones, as many as save most launches, each FACTOR_LEAST of them: alone one of 993 columns.
 * Products of our own of 32 columns are then half of all flops (512/n), the rest is cuBLAS's with either.
 */
import type { Choleskys } from '../work/triangles.js';

/** Launches that a call saves at least: some 0.3 ms, where a call between graphs costs hundredths. */
export const FACTOR_LEAST = 94;

/** Launches of our own kernels for triangles of that order and less. */
export type OwnLaunches = (order: number) => number;

/** Triangles of cuSOLVER's, and what is left. */
export interface ChosenFactors {
  readonly large: Choleskys['triangles'];
  readonly rest: Choleskys;
}

/** Chooses by sizes alone. `open` is called only where one is large enough: whether there is cuSOLVER. */
export function chooseFactors(
  work: Choleskys,
  own: OwnLaunches,
  { least, open }: { readonly least: number; readonly open: () => boolean },
): ChosenFactors {
  const sorted = [...work.triangles].sort((a, b) => b.order - a.order);
  const launches = sorted.map(({ order }) => own(order));
  let [most, count] = [0, 0];
  launches.forEach((_, k) => {
    const saved = launches[0] - (launches[k + 1] ?? 0) - least * (k + 1);
    if (saved < most || (saved === most && count > 0)) return;
    [most, count] = [saved, k + 1];
  });
  if (count === 0 || !open()) return { large: [], rest: work };
  const large = new Set(sorted.slice(0, count));
  return {
    large: work.triangles.filter((triangle) => large.has(triangle)),
    rest: { ...work, triangles: work.triangles.filter((triangle) => !large.has(triangle)) },
  };
}
