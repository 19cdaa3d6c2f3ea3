/**
 * Whether a compression from entries met its tolerance, as far as it saw, and what kept it from it.
 */
import { NonFiniteError } from '../../core/errors.js';
import type { OwnRowsOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { scaledSource } from '../../source/unit-source.js';
import type { EntriesReport } from '../matrix/report.js';
import { allowedError, isRounding, limitsOfNodes, type ToleranceLimit } from '../matrix/tolerance-limits.js';
import { ALL_COLUMNS, columnsError } from '../measure/columns-error.js';
import type { ResolvedOptions } from './options.js';
import type { Skeletons } from './skeleton-state.js';

/** What all nodes verified is taken with so many standard deviations: 97.7 % from above. */
const DEVIATIONS = 2;

/** What a report says of it, and the indices whose rows err most. */
export interface Verdict extends Pick<EntriesReport, 'met' | 'seen' | 'limits' | 'resampled' | 'missed'> {
  readonly met: boolean;
  readonly worst: Int32Array;
}

/** What is judged: K̃ against K = source/factor. */
export interface Judged {
  readonly source: EntrySource;
  readonly factor: number;
  readonly approximation: OwnRowsOperator;
}

/** What nodes found, what each may err, squared and per index, limits of the matrix as a whole, and ‖factor·K‖_F². */
export interface Evidence {
  readonly found: Skeletons;
  readonly allowed: number;
  readonly limits: readonly ToleranceLimit[];
  readonly normSquared: number;
}

/**
 * Judges by what all nodes verified and by some columns of K̃ (measure/columns-error.ts). Throws NonFiniteError,
 * AbortedError, what the source throws.
 */
export async function judge(
  { source, factor, approximation }: Judged,
  { found, allowed, limits, normSquared }: Evidence,
  { tolerance, dtype, maxRank, preserve, seed }: ResolvedOptions,
  control: TeamControl,
): Promise<Verdict> {
  const { tree, missed, variance, attempts, ranks } = found;
  // Every error of a node stands in a block and in its transpose.
  const total = (of: Float64Array): number => of.reduce((sum, value) => sum + value, 0);
  const most = total(missed) + DEVIATIONS * Math.sqrt(total(variance));
  const verified = normSquared > 0 ? Math.sqrt((2 * most) / normSquared) : 0;
  const setup = { seed, norm: Math.sqrt(normSquared) / factor, unit: factor };
  const { relative, worst } = await columnsError(scaledSource(source, 1 / factor), approximation, setup, control);
  // What is exact needs no estimate beside it.
  const seen = source.size <= ALL_COLUMNS ? relative : Math.max(verified, relative);
  // Norms are within range, so that only an entry makes it NaN.
  if (Number.isNaN(seen))
    throw new NonFiniteError(
      'An entry of the matrix is not finite, in a block that no row was sampled from: mend the source.',
    );
  const met = seen <= allowedError(tolerance, dtype, source.size);
  const missing = Array.from(missed.keys()).filter((ν) => missed[ν] > allowed * (tree.end[ν] - tree.begin[ν]));
  const hit: ToleranceLimit[] = met
    ? []
    : [
        ...limitsOfNodes(
          missing.map((node) => ({ node, rank: ranks[node] })),
          maxRank,
          preserve ? 'preserve' : 'rows',
        ),
        ...limits,
      ];
  // What columns show and nodes do not, the sampled rows did not show; or it is rounding.
  if (!met && hit.length === 0) hit.push({ limit: isRounding(seen, dtype) ? 'dtype' : 'rows' });
  const resampled = attempts.reduce((sum, count) => sum + (count > 1 ? 1 : 0), 0);
  return { met, seen, limits: hit, resampled, missed: missing.length, worst };
}

/** Whether more rows may help: nothing but them, or a budget, kept the compression from its tolerance. */
export const mayImprove = (limits: readonly ToleranceLimit[]): boolean =>
  limits.every(({ limit }) => limit === 'rows' || limit === 'budget');
