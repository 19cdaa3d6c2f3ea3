/**
 * Work as a card's steps: which kernels a launch of each kind takes, of which every card has a table.
 */
import { partialRows } from './vectors.js';
import type { Work, WorkKind, WorkKinds } from './work.js';

/** The steps S of each kind of work. */
export type StepTable<S> = { readonly [K in WorkKind]: (work: WorkKinds[K]) => S[] };

/** Work as steps, in order, and the rows of vectors that they need beside their operands. */
export interface StepPlan<S> {
  readonly steps: readonly S[];
  readonly scratchRows: number;
}

/** The steps of a launch by a card's table. Throws what that throws. */
export const planSteps = <S>(table: StepTable<S>, work: Work): StepPlan<S> => ({
  steps: (table[work.kind] as (work: Work) => S[])(work),
  scratchRows: work.kind === 'innerProducts' ? partialRows(work) : 0,
});
