/**
 * A trilinear form T(a, b, c) of three tensors: each bilinear primitive is a form and the operand that it gives, the
 * derivative of T along it. The derivatives of the primitive are again of that form, with another operand given.
 */
import type { Attributes, Node } from '../node.js';
import type { Beta, Machine } from '../primitive.js';

/** Which operand a primitive gives. */
export type Mode = 0 | 1 | 2;
/** The operands a, b, c; of a primitive the given one is its node. */
export type Operands = readonly [Node, Node, Node];

/** A form at work in a primitive. */
export interface FormUse {
  readonly node: Node;
  readonly operands: Operands;
  readonly mode: Mode;
}

/** One form. */
export interface Form {
  /** operands[mode] ← ∂T/∂operands[mode] + beta·operands[mode]. */
  readonly run: (machine: Machine, use: FormUse, beta: Beta) => void;
  /** Floating-point operations, the same for every mode; of products that are not multiplications of matrices 0. */
  readonly flops: (use: FormUse, samples: number) => number;
  /** Numbers of scratch memory. Default none. */
  readonly scratch?: (use: FormUse, samples: number) => number;
}

/** The settings of a form's primitive. */
export const formAttributes = (form: string, mode: Mode, settings: Attributes = {}): Attributes => ({
  form,
  mode,
  ...settings,
});
