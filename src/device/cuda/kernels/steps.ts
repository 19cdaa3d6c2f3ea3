/**
 * The steps of each kind of work.
 */
import { planSteps, type StepPlan, type StepTable } from '../../work/steps.js';
import type { Work } from '../../work/work.js';
import type { GemmStep } from './gemms.js';
import { gatherSteps, productSteps, type GemmChoice } from './products.js';
import { interpolationSteps } from './interpolations.js';
import { qrSteps } from './qr.js';
import type { RowsStep, Step } from './step.js';
import { choleskySteps, substitutionSteps } from './triangles.js';
import { combinationSteps, innerProductSteps } from './vectors.js';

const stepTable = (choose: GemmChoice): StepTable<AnyStep> => ({
  products: (work) => productSteps(work, choose),
  gathers: gatherSteps,
  cholesky: (work) => choleskySteps(work, choose),
  substitutions: (work) => substitutionSteps(work, choose),
  qr: qrSteps,
  interpolations: interpolationSteps,
  combination: combinationSteps,
  innerProducts: innerProductSteps,
});

/** A step by a kernel of its own, by that of block rows, or by cuBLAS. */
export type AnyStep = Step | RowsStep | GemmStep;

/** The steps, by our own kernels but for what is chosen for cuBLAS. */
export const stepsOf = (work: Work, choose?: GemmChoice): StepPlan<AnyStep> => planSteps(stepTable(choose), work);
