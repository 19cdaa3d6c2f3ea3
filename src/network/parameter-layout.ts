/**
 * Where the parameters of a network's layers stand in θ, whatever the network computes with them: of every output unit
 * its inputs' weights one after the other, then its bias; units and layers one after the other.
 */

/** A layer's width × outputs parameters. */
export interface LayerBlock {
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
  /** inputs + 1 with a bias, else inputs: weights of one output unit. */
  readonly width: number;
  /** Where the layer's width·outputs parameters begin in θ. */
  readonly offset: number;
  /** What they do, of networks of layers (layers/parameter-block.ts); of others they are weights of a perceptron. */
  readonly kind?: string | undefined;
}

/** The layers of θ. */
export interface ParameterLayout {
  readonly layers: readonly LayerBlock[];
  /** Numbers of a sample's inputs, and of its targets. */
  readonly inputs: number;
  readonly outputs: number;
  /** Numbers of θ. */
  readonly parameters: number;
}

/** Whether a layer has Kronecker factors: multiplications of matrices do, scales and kernels of channels do not. */
export const hasFactors = ({ kind = 'dense' }: LayerBlock): boolean => kind === 'dense' || kind === 'convolution';
