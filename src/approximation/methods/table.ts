/**
 * The approximation methods: one line for each, whose name is the key. A new one is a file beside this one and a line
 * here.
 */
import { eigenbasis, kroneckerSum } from './curvature.js';
import { blockDiagonal, diagonal } from './diagonal.js';
import { fmm, hm, hodlr, hss } from './formats.js';
import { ekfac, kfac, kfacMonteCarlo } from './kronecker.js';
import { nystrom, rsvd } from './low-rank.js';
import type { Method } from './method.js';

const TABLE = {
  hm,
  'kronecker-sum': kroneckerSum,
  eigenbasis,
  rsvd,
  nystrom,
  kfac,
  'kfac-mc': kfacMonteCarlo,
  ekfac,
  diagonal,
  'block-diagonal': blockDiagonal,
  hss,
  hodlr,
  fmm,
} satisfies Readonly<Record<string, Method>>;

/** The name of a method. */
export type ApproximationMethod = keyof typeof TABLE;
/** The methods by name. */
export const METHOD_TABLE: Readonly<Record<ApproximationMethod, Method>> = TABLE;
/** All values of {@link ApproximationMethod}. */
export const APPROXIMATION_METHODS = Object.keys(TABLE) as readonly ApproximationMethod[];
