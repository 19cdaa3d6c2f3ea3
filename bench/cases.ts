/**
 * The whole runs that are measured, and the reference's figures for those it was measured on.
 * Reference: GOFMM (C++, SC17, the bug in its splitter fixed), 2 threads, OpenBLAS, a 2-core AVX-512 machine whose
 * dgemm reaches about 100 GFLOP/s; medians of 3.
 */
import type { CompressOptions } from '../src/hierarchical/from-entries/options.js';

export interface BenchCase {
  readonly name: string;
  /**
   * Standard normal points and a Gaussian kernel, a named test matrix, or images: real ones from a file, else generated
   * digits.
   */
  readonly input:
    | { readonly kind: 'gaussian'; readonly size: number; readonly dimension: number; readonly bandwidth: number }
    | { readonly kind: 'named'; readonly matrix: string; readonly size: number }
    | { readonly kind: 'images'; readonly size: number; readonly dimension: number };
  readonly options: CompressOptions;
  readonly vectors: number;
}

export interface Reference {
  readonly neighbors?: number | undefined;
  readonly skeletonization?: number | undefined;
  readonly apply: number;
  readonly error?: number | undefined;
  readonly memoryGigabytes?: number | undefined;
}

/** What images are called in tables: generated ones, and those of the file that `--images` names. */
export const IMAGES = { generated: 'generated digits', file: 'MNIST test images' } as const;

const gaussian = (size: number, bandwidth: number, budget: number, vectors = 64): BenchCase => ({
  name: `gaussian-${size}-h${bandwidth}-b${100 * budget}-p${vectors}`,
  input: { kind: 'gaussian', size, dimension: 6, bandwidth },
  options: {
    format: 'fmm',
    budget,
    leafSize: 256,
    maxRank: 256,
    tolerance: 1e-5,
    neighbors: 32,
    distance: 'geometric',
  },
  vectors,
});

const k02 = (size: number): BenchCase => ({
  name: `K02-${size}`,
  input: { kind: 'named', matrix: 'K02', size },
  options: { format: 'hss', leafSize: 64, maxRank: 64, tolerance: 1e-7, neighbors: 32, distance: 'angle' },
  vectors: 64,
});

export const CASES: readonly BenchCase[] = [
  ...[4096, 16_384, 65_536].flatMap((size) =>
    [1, 2, 4].flatMap((h) => [0, 0.03].map((budget) => gaussian(size, h, budget))),
  ),
  gaussian(16_384, 2, 0, 1),
  gaussian(16_384, 2, 0, 512),
  gaussian(262_144, 2, 0),
  k02(4096),
  {
    name: 'images-10000',
    input: { kind: 'images', size: 10_000, dimension: 784 },
    options: { format: 'hss', leafSize: 256, maxRank: 256, tolerance: 1e-2, neighbors: 32 },
    vectors: 64,
  },
];

export const REFERENCES: Readonly<Record<string, Reference>> = {
  'gaussian-16384-h1-b0-p64': { neighbors: 4.5, skeletonization: 1.5, apply: 0.073, error: 0.13, memoryGigabytes: 1.0 },
  'gaussian-16384-h1-b3-p64': { neighbors: 4.5, skeletonization: 1.5, apply: 0.094, error: 0.13, memoryGigabytes: 1.1 },
  'gaussian-16384-h2-b0-p64': {
    neighbors: 4.4,
    skeletonization: 1.5,
    apply: 0.077,
    error: 1.2e-2,
    memoryGigabytes: 1.0,
  },
  'gaussian-16384-h2-b3-p64': {
    neighbors: 4.4,
    skeletonization: 1.6,
    apply: 0.099,
    error: 1.0e-2,
    memoryGigabytes: 1.1,
  },
  'gaussian-16384-h4-b0-p64': {
    neighbors: 4.5,
    skeletonization: 1.3,
    apply: 0.067,
    error: 1.1e-4,
    memoryGigabytes: 0.92,
  },
  'gaussian-65536-h2-b0-p64': { neighbors: 18.7, skeletonization: 6.9, apply: 0.34, error: 2e-2, memoryGigabytes: 3.8 },
  'gaussian-65536-h2-b3-p64': { neighbors: 18.7, skeletonization: 7.3, apply: 1.03, error: 2e-2, memoryGigabytes: 7.1 },
  'K02-4096': { neighbors: 1.0, skeletonization: 0.03, apply: 0.003, error: 3.3e-3, memoryGigabytes: 0.14 },
  'gaussian-16384-h2-b0-p1': { apply: 0.015 },
  'gaussian-16384-h2-b0-p512': { apply: 0.52 },
};
