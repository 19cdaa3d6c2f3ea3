/**
 * ‖K‖_F before anything is compressed: what relative tolerances and errors are relative to. Layer 5.
 */
import { RandomStream } from '../core/random.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { sampleWithoutReplacement } from './error-estimate.js';
import { columnSums } from './sampled-columns.js';

const NORM_COLUMNS = 32;
const NORM_STREAM = 0x4042;

/** ‖K‖_F²: the diagonal exactly, the rest from sampled columns. */
export async function estimateNorm(source: EntrySource, diagonal: Float64Array, seed: number, control: TeamControl): Promise<number> {
  const columns = sampleWithoutReplacement(source.size, NORM_COLUMNS, new RandomStream(seed, NORM_STREAM));
  const { exact } = await columnSums(source, columns, columns.length, [], 'estimate norm', control);
  let outside = 0;
  columns.forEach((j, q) => { outside += Math.max(0, exact[q] - diagonal[j] * diagonal[j]); });
  return diagonal.reduce((sum, d) => sum + d * d, 0) + (outside * source.size) / columns.length;
}
