/**
 * Skeletonization of a node as a task of the team.
 */
import { defineTask, type TaskBody } from '../../parallel/task.js';
import { openHandle } from '../../source/share-source.js';
import { OwnInterpolation } from './own-interpolation.js';
import type { RowPools } from './row-pools.js';
import type { SharedNode, SkeletonState } from './skeleton-state.js';
import { candidateLimit, NodeSkeletonizer } from './skeletonize.js';
import { SplitSample } from './split-sample.js';

/** Nodes, one a task, what is known of those that several ranks have, and pools to read instead of the state's. */
export interface NodesToDo {
  readonly nodes?: Int32Array | undefined;
  readonly known?: readonly SharedNode[];
  readonly pools?: RowPools | undefined;
}

/** Skeletonizes node `task`, or the one that stands there in a list. */
export const skeletonizeNode = defineTask<SkeletonState, NodesToDo>(
  import.meta.url,
  'skeletonizeNode',
  (state, context) => {
    const source = openHandle(state.source, context);
    const split = state.split === undefined ? undefined : new SplitSample(state.split, source, context);
    const columns = candidateLimit(state.tree.size, state.leafSize, state.maxRank);
    const interpolation = new OwnInterpolation(state, columns, source, context.blas, split);
    const skeletonizer = new NodeSkeletonizer(state, source, interpolation);
    const body: TaskBody<NodesToDo> = (task, { nodes, known, pools }) => {
      const steps = skeletonizer.steps(nodes === undefined ? task : nodes[task], known?.[task], pools);
      // What a node asks for is answered when it asks.
      while (steps.next().done !== true);
    };
    body.part = (owner, part) => {
      split?.part(owner, part);
    };
    return body;
  },
);
