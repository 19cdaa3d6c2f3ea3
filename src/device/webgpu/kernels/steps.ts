/**
 * The steps of each kind of work.
 */
import { planSteps, type StepPlan, type StepTable } from '../../work/steps.js';
import type { Work } from '../../work/work.js';
import { gatherSteps } from './gathers.js';
import { productSteps } from './products.js';
import { interpolationSteps } from './interpolations.js';
import { qrSteps } from './qr.js';
import type { RowsStep, Step } from './step.js';
import { choleskySteps, substitutionSteps } from './triangles.js';
import { combinationSteps, innerProductSteps } from './vectors.js';

const STEPS: StepTable<Step | RowsStep> = {
  products: (work) => productSteps(work),
  gathers: gatherSteps,
  cholesky: choleskySteps,
  substitutions: substitutionSteps,
  qr: qrSteps,
  interpolations: interpolationSteps,
  combination: combinationSteps,
  innerProducts: innerProductSteps,
};

/** The steps. Throws MemoryError where a kernel cannot address a block. */
export const stepsOf = (work: Work): StepPlan<Step | RowsStep> => planSteps(STEPS, work);
