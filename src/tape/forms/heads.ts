/**
 * T = Σ_{b,h} ⟨O_bh, V_bh·S_bh⟩ over samples b and heads h: V features × keys and O features × queries, whose rows are
 * split evenly between heads, S keys × heads × queries. Attention is this form twice: the scores KᵀQ are ∂T/∂S at V = K
 * and O = Q, their use V·S is ∂T/∂O.
 */
import { view, type Matrix } from '../../dense/matrix.js';
import type { Machine } from '../primitive.js';
import type { Node } from '../node.js';
import type { Form, Operands } from './form.js';

const sizesOf = ([v, s, o]: Operands): { features: number; keys: number; heads: number; queries: number } => ({
  features: v.shape.dims[0],
  keys: s.shape.dims[0],
  heads: s.shape.dims[1],
  queries: o.shape.dims[1],
});

/** The form. */
export const HEADS: Form = {
  run: (machine, { operands, mode }, beta) => {
    const { features, keys, heads, queries } = sizesOf(operands);
    const { blas, heap, count } = machine;
    const [v, s, o] = operands;
    const own = features / heads;
    const columns = (x: Node, positions: number, b: number, h: number): Matrix =>
      view(heap, machine.at(x) + b * features + h * own, own, positions, features * count);
    for (let h = 0; h < heads; h++)
      for (let b = 0; b < count; b++) {
        const V = columns(v, keys, b, h);
        const O = columns(o, queries, b, h);
        const S = scores(machine, machine.at(s), { keys, heads, queries, b, h });
        if (mode === 2) blas.gemm('N', 'N', 1, V, S, beta, O);
        else if (mode === 1) blas.gemm('T', 'N', 1, V, O, beta, S);
        else blas.gemm('N', 'T', 1, O, S, beta, V);
      }
  },
  flops: ({ operands }, samples) => {
    const { features, keys, queries } = sizesOf(operands);
    return 2 * features * keys * queries * samples;
  },
};

/** S_bh. */
function scores(
  { heap, count }: Machine,
  at: number,
  { keys, heads, queries, b, h }: Record<'keys' | 'heads' | 'queries' | 'b' | 'h', number>,
): Matrix {
  return view(heap, at + keys * (b + count * h), keys, queries, keys * count * heads);
}
