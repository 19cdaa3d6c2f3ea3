/**
 * Triangles on the team: a task is a Cholesky factorization, or a substitution for a panel of columns.
 */
import { floats, precisionOf } from '../../core/floats.js';
import { view } from '../../dense/matrix.js';
import { SUBSTITUTION_SCRATCH, substituteLeft, substituteRight, substituteRows } from '../../dense/substitution.js';
import { defineTask } from '../../parallel/task.js';
import { SYSTEM_WORDS, TRIANGLE_WORDS } from '../work/triangles.js';
import { PANEL_COLUMNS, type KernelArguments, type KernelState } from './kernel-state.js';

/** Task t: triangle t. */
export const factorTriangles = defineTask<KernelState<undefined>, KernelArguments>(
  import.meta.url,
  'factorTriangles',
  ({ lists: { triangles }, operands: { values, status } }, { blas }) =>
    (task) => {
      const [offset, ld, order, place] = triangles.subarray(TRIANGLE_WORDS * task, TRIANGLE_WORDS * (task + 1));
      let info = blas.potrf('L', view(values, offset, order, order, ld));
      // Libraries take a pivot that is not a number for a positive one.
      for (let j = 0; j < order && info === 0; j++) if (!Number.isFinite(values[offset + j * (ld + 1)])) info = j + 1;
      status[place] = info;
    },
);

/** Of substitutions. */
export interface SubstitutionSettings {
  readonly transposed: boolean;
  /** Whether X is rows of vectors. */
  readonly rows: boolean;
}

/** Task t: a panel of the columns of a system, all columns of rows of vectors. */
export const substituteSystems = defineTask<KernelState<SubstitutionSettings>, KernelArguments>(
  import.meta.url,
  'substituteSystems',
  ({ lists: { systems }, tasks, operands: { triangles, x }, settings }, { blas }) => {
    const scratch = floats(SUBSTITUTION_SCRATCH, precisionOf(x));
    // Of what stands transposed, as rows of vectors do: X·L⁻ᵀ is L⁻¹·X.
    const fromRight = settings.transposed ? 'N' : 'T';
    return (task, { width }) => {
      const [record, first] = tasks.subarray(2 * task, 2 * task + 2);
      const [offset, ld, order, at, step, turned, columns] = systems.subarray(
        SYSTEM_WORDS * record,
        SYSTEM_WORDS * (record + 1),
      );
      const l = view(triangles, offset, order, order, ld);
      const count = Math.min(PANEL_COLUMNS, columns - first);
      if (settings.rows) substituteRows(blas, fromRight, l, view(x, at * width, width, order));
      else if (turned === 1) substituteRight(blas, fromRight, l, view(x, at + first, count, order, step));
      else {
        const panel = view(x, at + first * step, order, count, step);
        if (settings.transposed) blas.trsm('L', 'L', 'T', 'N', 1, l, panel);
        else substituteLeft(blas, l, panel, scratch);
      }
    };
  },
);
