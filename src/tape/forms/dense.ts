/**
 * T = ⟨Y, WᵀX⟩: weights W, of every output its inputs' one after the other, between columns. Y = WᵀX, X̄ = WȲ,
 * W̄ = XȲᵀ, one multiplication of matrices each. Rows of W beyond the inputs (biases) have no part in it.
 */
import { view } from '../../dense/matrix.js';
import { columnsOf, rowsOf } from '../shape.js';
import type { Form } from './form.js';
import { clearBeyond } from './weights.js';

/** The form. */
export const DENSE: Form = {
  run: (machine, { operands: [w, x, y], mode }, beta) => {
    const { blas, heap } = machine;
    const [inputs, outputs] = [rowsOf(x.shape), rowsOf(y.shape)];
    const n = columnsOf(x.shape, machine.count);
    const W = view(heap, machine.at(w), inputs, outputs, rowsOf(w.shape));
    const X = view(heap, machine.at(x), inputs, n);
    const Y = view(heap, machine.at(y), outputs, n);
    if (mode === 2) blas.gemm('T', 'N', 1, W, X, beta, Y);
    else if (mode === 1) blas.gemm('N', 'N', 1, W, Y, beta, X);
    else {
      blas.gemm('N', 'T', 1, X, Y, beta, W);
      if (beta === 0) clearBeyond(machine, w, inputs);
    }
  },
  flops: ({ operands: [, x, y] }, samples) => 2 * rowsOf(x.shape) * rowsOf(y.shape) * columnsOf(x.shape, samples),
};
