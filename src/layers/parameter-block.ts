/**
 * A layer's parameters in θ: of every output its weights one after the other, then its bias, as those of a perceptron.
 */

/** How numbers begin: normal or uniform around zero, or all the same. */
export type InitialValues =
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'uniform'; readonly most: number }
  | { readonly kind: 'constant'; readonly value: number };

/** What a block's numbers do, which tells what curvature and decay know of it. */
export type BlockKind =
  /** Weights of a multiplication of matrices. */
  | 'dense'
  /** Weights of a convolution. */
  | 'convolution'
  /** One vector for each of a vocabulary's words. */
  | 'embedding'
  /** Kernels of a channel each, scales, shifts: numbers with no rule but their own. */
  | 'vector'
  /** Statistics that training keeps and that have no gradient. */
  | 'statistics';

/** A block of width × outputs numbers. */
export interface ParameterBlock {
  readonly name: string;
  readonly kind: BlockKind;
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
  /** inputs + 1 with a bias, else inputs. */
  readonly width: number;
  /** Where it begins in θ. */
  readonly offset: number;
  readonly initial: InitialValues;
  /** Of kernels: the width and height of their windows; weights of one input channel after the other at each tap. */
  readonly window?: readonly [number, number] | undefined;
}
