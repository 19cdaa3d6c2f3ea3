/**
 * Draws of Gaussians through the factors of a matrix: the options that all of them take, and the standard normal
 * vectors that they start from.
 */
import { quoted } from '../core/kind.js';
import { requireSeed, requireWhole } from '../core/checks.js';
import { OptionError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf, type Resolved } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';

/** Options of the `sample` of factorizations: of a matrix A + λI that they factor. */
export interface SampleOptions {
  /** Columns to draw; default 1. */
  readonly count?: number | undefined;
  /** Default 0. Seeds the normal vectors. */
  readonly seed?: number | undefined;
  /** 'matrix': N(0, A + λI), the default; 'inverse': N(0, (A + λI)⁻¹). */
  readonly of?: 'matrix' | 'inverse' | undefined;
}
/** The keys of {@link SampleOptions}. */
const SAMPLE_KEYS: KeysOf<SampleOptions> = { count: 'number', seed: 'number', of: true };

const SAMPLE_STREAM = 0x5a3e1e;

/** The options with their defaults. Throws OptionError. */
export function sampleOptions(options: SampleOptions): Resolved<SampleOptions> {
  requireKnownOptions(options, SAMPLE_KEYS, 'sample');
  const { count = 1, seed = 0, of = 'matrix' } = options;
  requireWhole(count, 'count', 0);
  requireSeed(seed);
  if (of !== 'matrix' && of !== 'inverse')
    throw new OptionError(`of must be 'matrix' or 'inverse', not ${quoted(of)}.`, { option: 'of', value: of });
  return { count, seed, of };
}

/**
 * rows × count independent standard normal numbers over shared memory; column j depends on seed and j alone. Throws
 * MemoryError.
 */
export function normalVectors(
  rows: number,
  { count, seed }: Pick<Resolved<SampleOptions>, 'count' | 'seed'>,
): Matrix<Float64Array> {
  const data = sharedFloat64(rows * count);
  for (let j = 0; j < count; j++)
    new RandomStream(seed, SAMPLE_STREAM, j).fillNormal(data.subarray(j * rows, (j + 1) * rows));
  return view(data, 0, rows, count);
}
