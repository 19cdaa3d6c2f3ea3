/**
 * The tables of preconditioners that are measured, and the published iterations.
 * Reference: S. Reiz and others, slides on hierarchical matrices (192 cores): iterations with HSS alone, with near
 * blocks and HSS, with near blocks and no preconditioner.
 */
import { NETWORKS } from '../src/experiment/preconditioner-plan.js';
import type { MatrixCase } from '../src/experiment/preconditioner-run.js';

export interface PreconditionerCase {
  readonly name: string;
  /** A test matrix, in the published table too where that has it; or one of the networks, by its number. */
  readonly matrix?: MatrixCase | undefined;
  readonly published?: boolean | undefined;
  readonly network?: number | undefined;
}

const matrix = (name: string, size: number, published = true): PreconditionerCase => ({
  name: `preconditioners-${name}-${size}`,
  matrix: { name, size },
  published,
});

export const PRECONDITIONER_CASES: readonly PreconditionerCase[] = [
  // COV is stored for its products; entries of K13 are solves; K15's ranks grow with its side.
  matrix('COV', 4096),
  matrix('K02', 65_536),
  matrix('K13', 4096),
  matrix('K15', 4096),
  matrix('EXP', 4096, false),
  matrix('MATERN', 4096, false),
  ...NETWORKS.map(({ widths }, network) => ({ name: `preconditioners-${widths.join('-')}`, network })),
];

export const PUBLISHED_ITERATIONS: Readonly<Record<string, readonly [number, number, number]>> = {
  COV: [0, 940, 2532],
  K02: [0, 0, 1],
  K13: [0, 0, 1],
  K15: [0, 3, 3],
};
