/**
 * The systems (A + λI) X = B on which the choice of `solve` is measured: kernels over points in 1 to 54 dimensions, the
 * test matrices, points with duplicates and in clusters, stored matrices without geometry, networks. Numbers are fixed:
 * the odd ones are those that constants may be tuned on, the even ones are reported apart.
 */
import type { kernelOfFamily } from '../src/source/kernels/table.js';
import type { NetworkCase } from '../src/experiment/preconditioner-plan.js';
import type { NamedMatrix } from '../datasets/named.js';

type Family = Parameters<typeof kernelOfFamily>[0];

/**
 * `uniform` in the unit cube; `normal`; `covertype`: rows like those of that table, in 54 dimensions; `clusters`: 20
 * normal clusters of widths 0.02 to 0.4; `duplicates`: every point twice; `tails`: cubes of normal numbers.
 */
export type Cloud = 'uniform' | 'normal' | 'covertype' | 'clusters' | 'duplicates' | 'tails';

/** Stored matrices of which nobody knows points. */
export type StoredKind = 'decay' | 'laplacian' | 'blocks' | 'diagonal' | 'shuffled' | 'flat';

/** What A is. */
export type ChooseMatrix =
  | {
      readonly kind: 'kernel';
      readonly family: Family;
      readonly h: number;
      readonly cloud: Cloud;
      readonly dimension: number;
      readonly size: number;
    }
  | { readonly kind: 'named'; readonly named: NamedMatrix; readonly size: number }
  | { readonly kind: 'stored'; readonly stored: StoredKind; readonly size: number }
  | ({ readonly kind: 'network' } & NetworkCase);

/** A system. */
export interface ChooseCase {
  readonly name: string;
  readonly half: 'tuning' | 'other';
  readonly matrix: ChooseMatrix;
  /** λ/‖A‖₂. */
  readonly relativeShift: number;
  /** Right-hand sides. */
  readonly vectors: number;
}

type System = Pick<ChooseCase, 'matrix' | 'relativeShift' | 'vectors'>;

const FAMILIES: readonly Family[] = ['gaussian', 'matern32', 'matern52', 'laplace', 'imq', 'polynomial'];
const PLACES: readonly (readonly [cloud: Cloud, dimension: number, h: number])[] = [
  ['uniform', 1, 0.1],
  ['uniform', 2, 0.2],
  ['uniform', 3, 0.5],
  ['normal', 6, 2],
  ['covertype', 54, 3],
];
const SIZES = [
  [500, 1000, 2000, 1500, 3000],
  [700, 1200, 2500, 4096, 800],
] as const;

/** Each kernel over each kind of points twice, once in either half. */
function kernels(): System[] {
  return FAMILIES.flatMap((family, k) =>
    PLACES.flatMap(([cloud, dimension, h], d) => {
      const pair = [0, 1].map((v): System => ({
        matrix: {
          kind: 'kernel',
          family,
          h: v === 0 ? h : 2 * h,
          cloud,
          dimension,
          size: SIZES[v][(k * (v === 0 ? 2 : 1) + d * (v === 0 ? 1 : 2)) % 5],
        },
        relativeShift: 10 ** -(2 + ((3 * k + 2 * d + 3 * v) % 7)),
        vectors: (k + d + v) % 3 === 0 ? 16 : 1,
      }));
      return (k + d) % 2 === 0 ? pair : pair.reverse();
    }),
  );
}

const kernel = (
  [family, h]: readonly [Family, number],
  [cloud, dimension, size]: readonly [Cloud, number, number],
  relativeShift: number,
  vectors = 1,
): System => ({ matrix: { kind: 'kernel', family, h, cloud, dimension, size }, relativeShift, vectors });
const test = (named: NamedMatrix, size: number, relativeShift: number, vectors = 1): System => ({
  matrix: { kind: 'named', named, size },
  relativeShift,
  vectors,
});
const stored = (of: StoredKind, size: number, relativeShift: number, vectors = 1): System => ({
  matrix: { kind: 'stored', stored: of, size },
  relativeShift,
  vectors,
});
const network = (of: NetworkCase, relativeShift: number, vectors = 1): System => ({
  matrix: { kind: 'network', ...of },
  relativeShift,
  vectors,
});

const SYSTEMS: readonly System[] = [
  ...kernels(),
  // Test matrices.
  test('K02', 1024, 1e-3),
  test('K02', 4096, 1e-5),
  test('K02', 16_384, 1e-4),
  test('K02', 65_536, 1e-6),
  test('K13', 1024, 1e-2),
  test('K13', 4096, 1e-4),
  test('K15', 1024, 1e-4, 16),
  test('K15', 4096, 1e-3),
  test('COV', 2000, 1e-6),
  test('COV', 4096, 1e-4),
  test('EXP', 4096, 1e-6),
  test('EXP', 16_384, 1e-3),
  test('MATERN', 16_384, 1e-5),
  test('MATERN', 4096, 1e-2, 16),
  // Clusters, duplicates, heavy tails.
  kernel(['matern32', 0.3], ['clusters', 2, 2000], 1e-5),
  kernel(['gaussian', 0.3], ['clusters', 3, 3000], 1e-3),
  kernel(['laplace', 0.2], ['duplicates', 2, 2000], 1e-6),
  kernel(['matern52', 0.3], ['duplicates', 1, 3000], 1e-7, 16),
  kernel(['imq', 0.5], ['tails', 2, 2500], 1e-4, 16),
  kernel(['gaussian', 1], ['tails', 3, 1500], 1e-8),
  // Stored, without geometry.
  stored('decay', 1500, 1e-6),
  stored('laplacian', 2000, 1e-3),
  stored('blocks', 1000, 1e-4),
  stored('diagonal', 2500, 1e-8),
  stored('shuffled', 3000, 1e-6),
  stored('flat', 2000, 1e-4, 16),
  // Networks.
  network({ widths: [196, 8, 196], activation: 'tanh', loss: 'mse', samples: 200 }, 1e-3),
  network({ widths: [196, 16, 10], activation: 'relu', loss: 'cross-entropy', samples: 400 }, 1e-4),
  network({ widths: [196, 32, 8, 32, 196], activation: 'tanh', loss: 'mse', samples: 250 }, 1e-4),
  network({ widths: [784, 20, 20, 10], activation: 'relu', loss: 'cross-entropy', samples: 1000 }, 1e-3),
  network({ widths: [196, 4, 196], activation: 'sigmoid', loss: 'mse', samples: 300 }, 1e-5, 16),
  network({ widths: [784, 8, 10], activation: 'tanh', loss: 'cross-entropy', samples: 300 }, 1e-2, 16),
  // Larger ones.
  kernel(['matern32', 0.5], ['uniform', 3, 8192], 1e-6),
  kernel(['gaussian', 0.2], ['uniform', 2, 8192], 1e-4),
  kernel(['matern52', 0.1], ['uniform', 1, 8192], 1e-7),
  kernel(['imq', 2], ['normal', 6, 8192], 1e-3),
];

function textOf(matrix: ChooseMatrix): string {
  switch (matrix.kind) {
    case 'kernel':
      return `${matrix.family}-${matrix.h} ${matrix.cloud} ${matrix.dimension}-D ${matrix.size}`;
    case 'named':
      return `${matrix.named} ${matrix.size}`;
    case 'stored':
      return `${matrix.stored} ${matrix.size}`;
    case 'network':
      return matrix.widths.join('-');
  }
}

export const CHOOSE_CASES: readonly ChooseCase[] = SYSTEMS.map((system, i) => ({
  name:
    `choose ${String(i + 1).padStart(2, '0')} ${textOf(system.matrix)}, ${system.relativeShift.toExponential(0)}` +
    (system.vectors === 1 ? '' : `, ${system.vectors} right-hand sides`),
  half: i % 2 === 0 ? 'tuning' : 'other',
  ...system,
}));
