/**
 * The steps of each kind of work.
 */
import { planSteps, type StepPlan, type StepTable } from '../../work/steps.js';
import type { Work } from '../../work/work.js';
import type { FactorStep } from './factors.js';
import type { GemmStep } from './gemms.js';
import { gatherSteps, productSteps, type GemmChoice } from './products.js';
import { interpolationSteps } from './interpolations.js';
import { qrSteps } from './qr.js';
import type { RowsStep, Step } from './step.js';
import { choleskySteps, substitutionSteps, type FactorChoice } from './triangles.js';
import { combinationSteps, innerProductSteps } from './vectors.js';

const stepTable = (choose: GemmChoice, factors: FactorChoice): StepTable<AnyStep> => ({
  products: (work) => productSteps(work, choose),
  gathers: gatherSteps,
  cholesky: (work) => choleskySteps(work, choose, factors),
  substitutions: (work) => substitutionSteps(work, choose),
  qr: qrSteps,
  interpolations: interpolationSteps,
  combination: combinationSteps,
  innerProducts: innerProductSteps,
});

/** A step by a kernel of its own, by that of block rows, by cuBLAS, or by cuSOLVER. */
export type AnyStep = Step | RowsStep | GemmStep | FactorStep;

/** The steps, by our own kernels but for what is chosen for cuBLAS and for cuSOLVER. */
export const stepsOf = (work: Work, choose?: GemmChoice, factors?: FactorChoice): StepPlan<AnyStep> =>
  planSteps(stepTable(choose, factors), work);
