/**
 * Products that are not multiplications of matrices: elementwise, rows by a shared vector, columns by a number each.
 */
import type { Machine } from '../primitive.js';
import { columnsOf, numbersOf, rowsOf } from '../shape.js';
import type { Form } from './form.js';
import type { Node } from '../node.js';

const noFlops = (): number => 0;

const sizes = (machine: Machine, x: Node): [number, number] => [rowsOf(x.shape), columnsOf(x.shape, machine.count)];

/** T = Σ aᵢbᵢcᵢ. */
export const ELEMENTWISE: Form = {
  run: (machine, { operands, mode }, beta) => {
    const [x, y] = operands.filter((_, k) => k !== mode);
    const out = operands[mode];
    const n = numbersOf(out.shape, machine.count);
    machine.vectors.multiplyTo(n, 1, machine.array(x), machine.array(y), beta, machine.array(out));
  },
  flops: noFlops,
};

/** T = Σᵢⱼ aᵢ·Bᵢⱼ·Cᵢⱼ: a shared vector. */
export const ROWS: Form = {
  run: (machine, { operands: [a, b, c], mode }, beta) => {
    const { tensors } = machine;
    const [rows, cols] = sizes(machine, b);
    const [v, x, y] = [machine.array(a), machine.array(b), machine.array(c)];
    if (mode === 0) tensors.rowDots(rows, cols, 1, x, y, beta, v);
    else tensors.combineRows(rows, cols, v, mode === 2 ? x : y, null, null, null, beta, mode === 2 ? y : x);
  },
  flops: noFlops,
};

/** T = Σᵢⱼ aⱼ·Bᵢⱼ·Cᵢⱼ: a number for each column. */
export const COLUMNS: Form = {
  run: (machine, { operands: [a, b, c], mode }, beta) => {
    const { tensors } = machine;
    const [rows, cols] = sizes(machine, b);
    const [s, x, y] = [machine.array(a), machine.array(b), machine.array(c)];
    if (mode === 0) tensors.columnDots(rows, cols, 1, x, y, beta, s);
    else tensors.combineColumns(rows, cols, s, mode === 2 ? x : y, null, null, null, beta, mode === 2 ? y : x);
  },
  flops: noFlops,
};
