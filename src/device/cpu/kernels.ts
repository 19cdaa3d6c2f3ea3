/**
 * The team's kernel of each kind of work.
 */
import { sharedFloat64, toShared } from '../../core/shared-array.js';
import type { TaskDefinition } from '../../parallel/task.js';
import type { WorkLists } from '../work/demand.js';
import { ofRows } from '../work/triangles.js';
import { listsOfWork, type Work, type WorkKind, type WorkKinds } from '../work/work.js';
import { panelTasks, type KernelArguments, type KernelState } from './kernel-state.js';
import { gatherPieces, multiplyBlocks } from './products.js';
import { interpolateBlocks } from './interpolations.js';
import { factorBlocks } from './qr.js';
import { factorTriangles, substituteSystems } from './triangles.js';
import { COMBINED_ROWS, combineRows, sumProducts } from './vectors.js';

/** What runs work on the team. */
export interface TeamKernel {
  readonly task: TaskDefinition<KernelState<unknown>, KernelArguments>;
  /** How many tasks there are, and what each does, where it is not a record of its number. */
  readonly count: number;
  readonly tasks: Float64Array;
  readonly lists: WorkLists;
  readonly settings: unknown;
}

interface Plan {
  readonly task: unknown;
  readonly settings: unknown;
  /** How many tasks; or, of two words each, what they do. */
  readonly tasks: number | readonly number[];
}

const PLANS: { readonly [K in WorkKind]: (work: WorkKinds[K]) => Plan } = {
  products: ({ alpha, beta, targets }) => ({
    task: multiplyBlocks,
    settings: { alpha, beta },
    tasks: panelTasks(targets.map(({ columns }) => columns)),
  }),
  gathers: ({ alpha, keep, pieces }) => ({
    task: gatherPieces,
    settings: { alpha, keep },
    tasks: pieces.length,
  }),
  cholesky: ({ triangles }) => ({ task: factorTriangles, settings: undefined, tasks: triangles.length }),
  substitutions: (work) => ({
    task: substituteSystems,
    settings: { transposed: work.transposed, rows: ofRows(work) },
    tasks: panelTasks(work.systems.map(({ x }) => (x.block === undefined ? 1 : x.columns))),
  }),
  interpolations: ({ blocks }) => ({ task: interpolateBlocks, settings: undefined, tasks: blocks.length }),
  qr: ({ blocks }) => ({ task: factorBlocks, settings: undefined, tasks: blocks.length }),
  combination: (work) => ({ task: combineRows, settings: work, tasks: Math.ceil(work.count / COMBINED_ROWS) }),
  innerProducts: ({ products }) => ({ task: sumProducts, settings: undefined, tasks: products.length }),
};

/** What runs it, over shared memory. */
export function teamKernel(work: Work): TeamKernel {
  const { task, settings, tasks } = (PLANS[work.kind] as (work: Work) => Plan)(work);
  const own = typeof tasks === 'number' ? sharedFloat64(0) : toShared(Float64Array.from(tasks));
  const lists = Object.entries(listsOfWork(work as never)).map(([name, list]) => [name, toShared(list)] as const);
  return {
    task: task as TeamKernel['task'],
    count: typeof tasks === 'number' ? tasks : tasks.length / 2,
    tasks: own,
    lists: Object.fromEntries(lists),
    settings,
  };
}
