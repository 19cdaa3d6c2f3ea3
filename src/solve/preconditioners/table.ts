/**
 * The preconditioners: one line for each, whose name is the key. A new one is a file beside this one and a line here.
 */
import { blockJacobi } from './block-jacobi.js';
import { cholesky } from './cholesky.js';
import { dual } from './dual.js';
import { hodlr, hss } from './hierarchical.js';
import { jacobi } from './jacobi.js';
import type { PreconditionerKind } from './kind.js';
import { ekfac, kfac } from './kronecker.js';
import { kroneckerSum } from './kronecker-sum.js';
import { none } from './none.js';
import { nystrom } from './nystrom.js';

const TABLE = {
  none,
  jacobi,
  'block-jacobi': blockJacobi,
  kfac,
  ekfac,
  'kronecker-sum': kroneckerSum,
  nystrom,
  dual,
  cholesky,
  hodlr,
  hss,
} satisfies Readonly<Record<string, PreconditionerKind>>;

/** The name of a preconditioner. */
export type PreconditionerName = keyof typeof TABLE;
/** The preconditioners by name. */
export const PRECONDITIONER_TABLE: Readonly<Record<PreconditionerName, PreconditionerKind>> = TABLE;
/** All values of {@link PreconditionerName}. */
export const PRECONDITIONERS = Object.keys(TABLE) as readonly PreconditionerName[];
