/**
 * What is taken of networks, where the options do not say: apart from the options, which load the tables of losses and
 * activations.
 */

/** Activation, loss and training where the options do not say. */
export const NETWORK_DEFAULTS = {
  activation: ['tanh'],
  loss: 'mse',
  bias: false,
  samples: 1000,
  learningRate: 1e-3,
  batchSize: 50,
} as const;
