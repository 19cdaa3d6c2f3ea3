/**
 * What networks for images share: their settings, and convolutions with a norm behind.
 */
import { requireWhole } from '../core/checks.js';
import type { KeysOf } from '../core/known-options.js';
import { conv2d, type ConvolutionOptions } from '../layers/affine.js';
import type { Layer } from '../layers/builder.js';
import { batchNorm, type BatchNormOptions } from '../layers/normalization.js';

/** Settings of networks for images. */
export interface ImageModelOptions {
  /** How many classes. */
  readonly classes?: number | undefined;
  /** Of every batch norm. */
  readonly batchNorm?: BatchNormOptions | undefined;
}

/** The keys of {@link ImageModelOptions}. */
export const IMAGE_MODEL_KEYS: KeysOf<ImageModelOptions> = { classes: 'number', batchNorm: true };

/** A convolution without bias that keeps the size of images with stride 1, for a norm behind it. */
export function convolution(channels: number, kernel: number, options: ConvolutionOptions = {}): Layer {
  return conv2d(channels, kernel, { padding: (kernel - 1) / 2, bias: false, ...options });
}

/** Checks the settings; makes the batch norms. Throws OptionError. */
export function normsOf({ classes, batchNorm: norm = {} }: ImageModelOptions): () => Layer {
  if (classes !== undefined) requireWhole(classes, 'classes', 1);
  const made = batchNorm(norm);
  return () => made;
}
