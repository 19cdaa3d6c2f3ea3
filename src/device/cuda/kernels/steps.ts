/**
 * The steps of each kind of work.
 */
import { partialRows } from '../../work/vectors.js';
import type { Work, WorkKind, WorkKinds } from '../../work/work.js';
import { gatherSteps, productSteps } from './products.js';
import type { RowsStep, Step } from './step.js';
import { choleskySteps, substitutionSteps } from './triangles.js';
import { combinationSteps, innerProductSteps } from './vectors.js';

/** Work as steps, in order, and the rows of vectors that they need beside their operands. */
export interface StepPlan {
  readonly steps: readonly (Step | RowsStep)[];
  readonly scratchRows: number;
}

const STEPS: { readonly [K in WorkKind]: (work: WorkKinds[K]) => (Step | RowsStep)[] } = {
  products: (work) => productSteps(work),
  gathers: gatherSteps,
  cholesky: choleskySteps,
  substitutions: substitutionSteps,
  combination: combinationSteps,
  innerProducts: innerProductSteps,
};

/** The steps. */
export const stepsOf = (work: Work): StepPlan => ({
  steps: (STEPS[work.kind] as (work: Work) => (Step | RowsStep)[])(work),
  scratchRows: work.kind === 'innerProducts' ? partialRows(work) : 0,
});
