/**
 * The matrices whose graphs of tasks are weighed (graph.ts).
 */
import type { CompressOptions } from '../src/hierarchical/from-entries/options.js';

/** Simulated workers. */
export const WORKERS = [1, 2, 4, 8] as const;

export interface GraphCase {
  readonly name: string;
  readonly label: string;
  readonly size: number;
  /** Uniform in the unit square or cube, or standard normal in six dimensions. */
  readonly points: 'square' | 'cube' | 'normal';
  readonly family: 'matern32' | 'laplace' | 'gaussian';
  readonly bandwidth: number;
  readonly options: CompressOptions;
}

const matern = (size: number): GraphCase => ({
  name: `graph-matern-${size}`,
  label: `Matérn 3/2 2-D, N = ${size.toLocaleString('en')}, h = 0.1, tol 1e-4`,
  size,
  points: 'square',
  family: 'matern32',
  bandwidth: 0.1,
  options: { format: 'hss', tolerance: 1e-4, leafSize: 256, maxRank: 256 },
});

const gaussian = (size: number): GraphCase => ({
  name: `graph-gaussian-${size}`,
  label: `Gaussian 6-D, N = ${size.toLocaleString('en')}, h = 1, s ≤ 256`,
  size,
  points: 'normal',
  family: 'gaussian',
  bandwidth: 1,
  options: { format: 'hss', leafSize: 256, maxRank: 256, tolerance: 1e-5, neighbors: 32 },
});

/** Ranks that grow towards the root. */
const laplace = (size: number): GraphCase => ({
  name: `graph-laplace-${size}`,
  label: `Laplace 3-D, N = ${size.toLocaleString('en')}, h = 1, tol 1e-4, s ≤ 1,024`,
  size,
  points: 'cube',
  family: 'laplace',
  bandwidth: 1,
  options: { format: 'hss', tolerance: 1e-4, leafSize: 256, maxRank: 1024 },
});

export const GRAPH_CASES: readonly GraphCase[] = [matern(32_768), gaussian(32_768), laplace(32_768)];
