/**
 * What was published of the same algorithms on thousands of cores, beside what a plan of ours says.
 */
import type { PlanOptions, PlanSetup } from './options.js';
import { planRanks, type PlanStage } from './plan-ranks.js';

/** A figure that was published. */
export interface PublishedFigure {
  readonly stage: PlanStage;
  readonly size: number;
  readonly cores: number;
  /** Of products and solves. */
  readonly vectors: number | undefined;
  /** It took less than so many. */
  readonly seconds: number;
  readonly source: string;
}

/** Unknowns of the largest runs: 2²⁶. */
const SIZE = 2 ** 26;
const CORES = 6144;
/** Sizes are told in millions: what differs less is the same. */
const NEAR = 0.02;

/**
 * C. Yu, S. Reiz, G. Biros: Distributed-memory hierarchical compression of dense SPD matrices, SC18; and Distributed
 * O(N) linear solver for dense symmetric hierarchical semi-separable matrices, MCSoC 2019. Ranks of the nodes are not
 * told with either.
 */
export const PUBLISHED_FIGURES: readonly PublishedFigure[] = [
  { stage: 'compress', size: SIZE, cores: CORES, vectors: undefined, seconds: 180, source: 'GOFMM, SC18' },
  { stage: 'product', size: SIZE, cores: CORES, vectors: 512, seconds: 5, source: 'GOFMM, SC18' },
  { stage: 'factor', size: SIZE, cores: CORES, vectors: undefined, seconds: 1, source: 'MCSoC 2019' },
  { stage: 'solve', size: SIZE, cores: CORES, vectors: 64, seconds: 0.1, source: 'MCSoC 2019' },
];

/** A figure, and what is planned for the same size and cores. */
export interface PublishedComparison {
  readonly figure: PublishedFigure;
  /** Seconds of the stage, results whole on every rank; and without gathering them. */
  readonly planned: number;
  readonly own: number;
}

/** The figures of about the setup's size, on as many cores; empty where there are none. */
export function comparePublished(options: PlanOptions, setup: PlanSetup): PublishedComparison[] {
  const { size, ranks, workers } = setup;
  return PUBLISHED_FIGURES.filter(
    (figure) => ranks * workers === figure.cores && Math.abs(size / figure.size - 1) <= NEAR,
  ).map((figure) => {
    const { seconds, own } = planRanks({ ...options, vectors: figure.vectors ?? setup.vectors });
    return { figure, planned: seconds[figure.stage], own: own[figure.stage] };
  });
}
