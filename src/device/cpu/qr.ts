/**
 * QR factorizations on the team: a task is a block.
 */
import { HouseholderQr } from '../../dense/householder-qr.js';
import { view } from '../../dense/matrix.js';
import { defineTask } from '../../parallel/task.js';
import { QR_WORDS } from '../work/qr.js';
import type { KernelArguments, KernelState } from './kernel-state.js';

/** Task t: block t. */
export const factorBlocks = defineTask<KernelState<undefined>, KernelArguments>(
  import.meta.url,
  'factorBlocks',
  ({ lists: { blocks }, operands: { values, triangles } }, { blas }) => {
    const qr = new HouseholderQr(blas);
    return (task) => {
      const [offset, ld, rows, columns, to, step] = blocks.subarray(QR_WORDS * task, QR_WORDS * (task + 1));
      qr.run(view(values, offset, rows, columns, ld), view(triangles, to, columns, columns, step));
    };
  },
);
