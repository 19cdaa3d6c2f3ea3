/**
 * What a plan is asked for, and what it is made of: places of numbers, runs of primitives.
 */
import type { Node } from '../node.js';
import type { Beta } from '../primitive.js';
import type { SumRules } from './sum-rules.js';

/** Where numbers lie: so many numbers behind the beginning of a region. */
export interface Place {
  readonly region: Region;
  readonly at: number;
}

/** `kept`: of this batch, until the next one; `work`: until the run ends; others are the caller's. */
export type Region = 'kept' | 'work' | 'parameters' | 'gradient' | 'direction' | 'result' | 'constants';

/** One run of a primitive. */
export interface Step {
  readonly node: Node;
  readonly beta: Beta;
  readonly together: readonly Node[];
}

/** An output of a phase; with a place of the caller's, or to be read where it is. */
export interface Output {
  readonly node: Node;
  readonly place: Place | null;
}

/** What is to be planned. */
export interface PlanRequest {
  /** Outputs of each phase. */
  readonly phases: readonly (readonly Output[])[];
  /** The phase that a leaf belongs to: 0 for numbers of the batch, a later one for its own directions or seeds. */
  readonly phaseOf: (leaf: Node) => number;
  /** Places of leaves that are the caller's; null: among what is kept. */
  readonly leafPlace: (leaf: Node) => Place | null;
  /** Most samples of a batch. */
  readonly capacity: number;
  /** Where sums are to be added up as in another plan. */
  readonly sums?: SumRules | undefined;
}
