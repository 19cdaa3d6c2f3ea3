/**
 * What passes of networks of layers are measured on: a 3 × 3 convolution, the models, and a perceptron beside its
 * closed forms.
 */
import type { Precision } from '../src/core/floats.js';

export interface TapeCase {
  readonly name: string;
  readonly network: 'convolution' | 'simple-cnn' | 'resnet20' | 'mobilenet' | 'transformer' | 'perceptron';
  readonly precision: Precision;
  readonly samples: number;
}

const one = (network: TapeCase['network'], what: string, samples: number, precision: Precision = 'f32'): TapeCase => ({
  name: `tape, ${what}, ${samples} samples, ${precision}`,
  network,
  precision,
  samples,
});

export const TAPE_CASES: readonly TapeCase[] = [
  one('convolution', '3 × 3 convolutions 32 → 32, 32 × 32', 8),
  one('convolution', '3 × 3 convolutions 32 → 32, 32 × 32', 8, 'f64'),
  one('simple-cnn', 'simpleCnn, 28 × 28', 128),
  one('resnet20', 'resnet20, 32 × 32', 64),
  one('mobilenet', 'mobilenet(0.5), 32 × 32', 64),
  one('transformer', 'languageModel, 4 layers of 128, 64 of 1,000 words', 32),
  one('perceptron', '784-128-32-128-784 tanh', 100),
  one('perceptron', '784-128-32-128-784 tanh', 500),
];
