/**
 * A compression's error on a few whole columns, before the matrix is handed over.
 * Nodes are verified on rows drawn as evenly as those that skeletons are found from: both may pass by what stands in
 * few rows, as in sparse matrices; whole columns do not. A sample of columns may miss an error in a few columns alone.
 */
import { RandomStream } from '../../core/random.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { view } from '../../dense/matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { sampleWithoutReplacement } from './error-estimate.js';
import { quotientOfNorms } from './error-interval.js';
import { columnNorms, comparing, unitVectors, vectorsToCompare } from './sampled-columns.js';

/**
 * All columns up to this size, where the error is exact; above it so many that it takes about a hundredth of the
 * compression's time.
 */
export const ALL_COLUMNS = 1024;
const COMPARED_ENTRIES = 2 ** 17;
const LEAST_COLUMNS = 8;
const STREAM = 0xc01;

/** Columns that are compared, of N. */
const columnCount = (size: number): number =>
  size <= ALL_COLUMNS ? size : Math.max(LEAST_COLUMNS, Math.floor(COMPARED_ENTRIES / size));
/** Columns multiplied at a time. */
const columnsAtATime = (size: number): number => Math.min(columnCount(size), vectorsToCompare(size));
/** Bytes that the comparison needs: units, their products, and three numbers for each in the workspace of products. */
export const comparisonBytes = (size: number, numberBytes = 8): number =>
  columnsAtATime(size) * (2 * 8 + 3 * numberBytes) * size;

/**
 * ‖K − K̃‖_F/‖K‖_F from sampled columns; exact up to N = 1024. NaN where K has an entry there that is not finite.
 * Throws AbortedError and what the source throws.
 */
export async function columnsError(
  source: EntrySource,
  approximation: LinearOperator,
  seed: number,
  control: TeamControl,
): Promise<number> {
  const { size } = source;
  const columns = sampleWithoutReplacement(size, columnCount(size), new RandomStream(seed, STREAM));
  const width = columnsAtATime(size);
  const units = view(inLargePages(sharedFloat64(size * width)), 0, size, width);
  const compared = [comparing(approximation, units)];
  const { exact, errors } = await columnNorms(
    source,
    unitVectors(columns),
    compared,
    { width, phase: 'compare columns' },
    control,
  );
  return quotientOfNorms(errors[0], exact);
}
