/**
 * What the choice of leaf size and ranks is measured on: test matrices, kernels in one to six dimensions, images, and
 * two Gauss–Newton Hessians, each at three tolerances, against a grid of leaf sizes, formats and budgets with free
 * ranks: a rank limit that binds only misses the tolerance.
 */
import type { HierarchicalFormat } from '../src/hierarchical/matrix/format.js';
import type { LossName } from '../src/network/losses/table.js';
import type { kernelOfFamily } from '../src/source/kernels/table.js';

export const LEAF_TOLERANCES = [1e-2, 1e-4, 1e-8] as const;

export type LeafInput =
  | { readonly kind: 'named'; readonly matrix: string }
  | {
      readonly kind: 'points';
      readonly family: Parameters<typeof kernelOfFamily>[0];
      readonly h: number;
      readonly cloud: 'uniform' | 'normal';
      readonly dimension: number;
    }
  /** A Gaussian kernel of median bandwidth over generated digits, or those of a file. */
  | { readonly kind: 'images' }
  /** The Gauss–Newton Hessian of a network on generated digits. */
  | { readonly kind: 'network'; readonly widths: readonly number[]; readonly loss: LossName };

export interface LeafCase {
  readonly name: string;
  readonly size: number;
  readonly input: LeafInput;
}

const N = 2304;
type Family = Parameters<typeof kernelOfFamily>[0];

const named = (matrix: string): LeafCase => ({
  name: `leaf sizes, ${matrix}`,
  size: N,
  input: { kind: 'named', matrix },
});
const points = (family: Family, h: number, cloud: 'uniform' | 'normal', dimension: number): LeafCase => ({
  name: `leaf sizes, ${family} h = ${h}, ${cloud}, ${dimension}-D`,
  size: N,
  input: { kind: 'points', family, h, cloud, dimension },
});

const network = (widths: readonly number[], loss: LossName): LeafCase => ({
  name: `leaf sizes, Hessian ${widths.join('-')}, ${loss}`,
  size: widths.slice(1).reduce((sum, width, i) => sum + width * widths[i], 0),
  input: { kind: 'network', widths, loss },
});

export const LEAF_CASES: readonly LeafCase[] = [
  ...['K02', 'K13', 'K15', 'COV'].map(named),
  points('matern52', 0.1, 'uniform', 1),
  points('laplace', 0.5, 'normal', 1),
  points('matern32', 0.1, 'uniform', 2),
  points('gaussian', 0.3, 'normal', 2),
  points('laplace', 0.5, 'uniform', 3),
  points('imq', 0.5, 'normal', 3),
  points('gaussian', 2, 'normal', 4),
  points('gaussian', 4, 'normal', 6),
  points('matern52', 3, 'uniform', 6),
  { name: 'leaf sizes, images', size: N, input: { kind: 'images' } },
  network([196, 8, 10], 'cross-entropy'),
  network([196, 5, 196], 'mse'),
];

/** One compression of the grid. */
export interface GridPoint {
  readonly format: HierarchicalFormat;
  readonly budget?: number | undefined;
  readonly leafSize: number;
}

const LEAVES = [64, 128, 256, 512, 1024, 2048];

/** All of the grid; near blocks and bases that are not nested at fewer leaf sizes. */
export const GRID: readonly GridPoint[] = [
  ...LEAVES.map((leafSize): GridPoint => ({ format: 'hss', leafSize })),
  ...LEAVES.slice(0, 3).map((leafSize): GridPoint => ({ format: 'hodlr', leafSize })),
  ...LEAVES.slice(0, 3).flatMap((leafSize) =>
    [0.03, 0.1].map((budget): GridPoint => ({ format: 'fmm', budget, leafSize })),
  ),
];
