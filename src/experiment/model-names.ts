/**
 * Names of networks of layers, and which options each takes: apart from the networks, which load the layers.
 */

/** All of them (models.ts). */
export const MODEL_NAMES = [
  'simple-cnn',
  'resnet8',
  'resnet20',
  'resnet32',
  'resnet18',
  'resnet50',
  'mobilenet',
  'vae',
  'transformer',
  'language-model',
] as const;
/** The name of a model. */
export type ModelName = (typeof MODEL_NAMES)[number];

/** Those that tables compare approximations of, some of a part alone. */
export const TABLE_MODEL_NAMES = ['simple-cnn', 'resnet8', 'resnet20', 'transformer', 'transformer-layer'] as const;
/** The name of one of them. */
export type TableModelName = (typeof TABLE_MODEL_NAMES)[number];

/** Sizes of a network, where it has them; what is left out is the model's own. */
export interface ModelSettings {
  /** Channels, of the published network's. */
  readonly width?: number | undefined;
  /** Numbers of a code. */
  readonly code?: number | undefined;
  /** Numbers of a word's vector, heads of attention, and layers of it. */
  readonly features?: number | undefined;
  readonly heads?: number | undefined;
  readonly layers?: number | undefined;
  /** Share of numbers zeroed in a step. */
  readonly dropout?: number | undefined;
  /** Share of every target that all words have. */
  readonly smoothing?: number | undefined;
}

const CLASSIFIERS = MODEL_NAMES.slice(0, MODEL_NAMES.indexOf('vae'));
const IMAGES = [...CLASSIFIERS, 'vae'] as const;
const WORDS = ['transformer', 'language-model'] as const;

/** Which models take an option; those that are not here all do. */
export const OPTIONS_OF_MODELS: Readonly<Record<string, readonly ModelName[]>> = {
  images: IMAGES,
  labels: CLASSIFIERS,
  augment: CLASSIFIERS,
  width: ['mobilenet'],
  code: ['vae'],
  text: WORDS,
  words: WORDS,
  length: WORDS,
  features: WORDS,
  heads: WORDS,
  layers: WORDS,
  dropout: WORDS,
  smoothing: WORDS,
  beams: ['transformer'],
};
