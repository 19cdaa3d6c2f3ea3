/**
 * Compressed Gauss–Newton Hessians as methods: sums of Kronecker products, hierarchical matrices in the Kronecker
 * eigenbasis, and whichever of the two errs less at the same memory.
 */
import { OptionError } from '../../core/errors.js';
import { planKroneckerHierarchical } from '../../curvature/eigenbasis/compress.js';
import { resolveGoal } from '../../curvature/eigenbasis/goal.js';
import { rotatedIndices } from '../../curvature/eigenbasis/model.js';
import { suitsKroneckerSum, sumFlops } from '../../curvature/kronecker-sum/cost.js';
import { planKroneckerSum } from '../../curvature/kronecker-sum/plan.js';
import { isRounding } from '../../hierarchical/matrix/tolerance-limits.js';
import { availableMemory } from '../../io/machine.js';
import type { Model } from '../../network/model.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Subject } from '../subject.js';
import {
  modelOf,
  rowsAtBoth,
  type Approximated,
  type Accuracy,
  type ApproximationOptions,
  type Budget,
  type Goal,
  type Method,
} from './method.js';

/** A form that is chosen and not made: its error and its bytes are known. */
interface Candidate {
  readonly error: number;
  readonly bytes: number;
  make(): Promise<Approximated>;
}

type Planner = (model: Model, goal: Goal, options: ApproximationOptions, control: TeamControl) => Promise<Candidate>;

const planSum: Planner = async (model, goal, { memoryLimit = availableMemory() }, control) => {
  const plan = await planKroneckerSum(model, { goal: resolveGoal(goal), memoryLimit, control });
  return {
    error: plan.error,
    bytes: plan.bytes,
    make: async () => {
      const matrix = await plan.make();
      const { report, bytes } = matrix;
      return {
        operator: matrix,
        bytes,
        knownError: report.error,
        exactNorm: report.norm,
        release: () => {
          matrix.release();
        },
        details: {
          form: 'Kronecker sum',
          modes: report.modes.reduce((sum, { kept }) => sum + kept, 0),
          panels: report.panels,
        },
      };
    },
  };
};

const planEigenbasis: Planner = async (model, goal, { leafSize = 32, memoryLimit = availableMemory() }, control) => {
  const plan = await planKroneckerHierarchical(model, { ...resolveGoal(goal), leafSize, memoryLimit }, control);
  return {
    error: plan.error,
    bytes: plan.bytes,
    make: async () => {
      const matrix = await plan.make();
      const { report } = matrix;
      return {
        operator: matrix,
        bytes: matrix.memory().bytes,
        knownError: report.error,
        exactNorm: report.norm,
        release: () => {
          matrix.release();
        },
        details: {
          form: 'Kronecker eigenbasis',
          order: report.keptSize,
          leafSize: report.leafSize,
          blocks: report.blocks,
        },
      };
    },
  };
};

function ofNetwork(title: string, name: string, plan: Planner): Method {
  const make = async (
    subject: Subject,
    goal: Goal,
    options: ApproximationOptions,
    control: TeamControl,
  ): Promise<Approximated> => {
    const made = await (await plan(modelOf(subject, name), goal, options, control)).make();
    // What is known is known of the Gauss–Newton matrix of the model, not of another one beside it.
    return subject.gaussNewton === undefined ? { ...made, knownError: undefined, exactNorm: undefined } : made;
  };
  return { rows: rowsAtBoth(title), make, reach: make };
}

/** Sums of Kronecker products. */
export const kroneckerSum: Method = ofNetwork('KronSum', 'kronecker-sum', planSum);
/** A hierarchical matrix in the Kronecker eigenbasis. */
export const eigenbasis: Method = ofNetwork('Eigenbasis', 'eigenbasis', planEigenbasis);

/** The eigenbasis is not tried where telling its error costs so many times what the Kronecker sum's costs. */
const DEAREST = 4;

/**
 * Of both forms the one that errs less, or, where both err by rounding alone, takes fewer bytes; the eigenbasis alone
 * where there are too many samples or too little memory for the other's modes, the Kronecker sum alone where the
 * eigenbasis is too dear to try. Throws OptionError where neither fits, with the least share that either would.
 */
export async function betterOfBoth(
  model: Model,
  budget: Budget,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  if (!isSummable(model, options, control)) return (await planEigenbasis(model, budget, options, control)).make();
  const sum = await planned(planSum(model, budget, options, control));
  if (isDear(model) && 'error' in sum) return sum.make();
  const rotated = await planned(planEigenbasis(model, budget, options, control));
  if ('error' in sum && 'error' in rotated) {
    // Errors that are rounding alone do not tell the forms apart.
    const rounding = isRounding(sum.error, 'f64') && isRounding(rotated.error, 'f64');
    const better = rounding ? sum.bytes <= rotated.bytes : sum.error <= rotated.error;
    return (better ? sum : rotated).make();
  }
  if ('error' in sum) return sum.make();
  if ('error' in rotated) return rotated.make();
  const leastOf = ({ refused }: { refused: OptionError }): number =>
    Number(refused.data['least'] ?? Number.POSITIVE_INFINITY);
  throw (leastOf(sum) <= leastOf(rotated) ? sum : rotated).refused;
}

/** Of both forms the smaller one that keeps to an error, where both may be tried. Throws what they throw. */
export async function smallerOfBoth(
  model: Model,
  accuracy: Accuracy,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximated> {
  if (!isSummable(model, options, control)) return (await planEigenbasis(model, accuracy, options, control)).make();
  const sum = await planSum(model, accuracy, options, control);
  if (isDear(model)) return sum.make();
  const rotated = await planEigenbasis(model, accuracy, options, control);
  return (sum.bytes <= rotated.bytes ? sum : rotated).make();
}

/** Whether the modes of a Kronecker sum can be found: in the memory, and with no too large matrices. */
const isSummable = (
  model: Model,
  { memoryLimit = availableMemory() }: ApproximationOptions,
  { team }: TeamControl,
): boolean => suitsKroneckerSum(model, memoryLimit, team.workers);

/** Whether telling the eigenbasis's error costs too much beside what the Kronecker sum's costs. */
const isDear = (model: Model): boolean =>
  model.data.samples * rotatedIndices(model) ** 2 > 4 * DEAREST * sumFlops(model);

/** A candidate, or why its share is refused. */
async function planned(candidate: Promise<Candidate>): Promise<Candidate | { readonly refused: OptionError }> {
  try {
    return await candidate;
  } catch (refused) {
    if (refused instanceof OptionError && 'least' in refused.data) return { refused };
    throw refused;
  }
}
