/**
 * hmatrix plan: what a matrix takes on several ranks, without making it.
 */
import type { Precision } from '../core/floats.js';
import type { PlanOptions } from '../experiment/plan/options.js';
import { planRanks } from '../experiment/plan/plan-ranks.js';
import { comparePublished } from '../experiment/plan/published.js';
import type { PlanCommandOptions } from './command-options.js';
import { readJsonObject } from './config-file.js';
import { EXIT_STATUS } from './outcome.js';
import { printJson, printReport } from './terminal.js';
import { UsageError } from './usage.js';

/** Ranks, leaf size and precision that a record tells. Throws FileAccessError, FileFormatError, UsageError. */
async function ofRecord(path: string): Promise<Pick<PlanOptions, 'rank' | 'leafSize' | 'dtype'>> {
  const { checkedRecord } = await import('../report/records/check.js');
  const record = checkedRecord(await readJsonObject(path, 'the record'), path);
  if (record.record !== 'compression')
    throw new UsageError(`--from ${path}: it is the record of ${record.record}; compress --record writes the one.`);
  const { ranks, options } = record;
  if (ranks.length === 0 || options.format === 'hodlr')
    throw new UsageError(`--from ${path}: a matrix of format hss or fmm with several leaves tells ranks by level.`);
  return { rank: ranks, leafSize: options.leafSize, dtype: options.dtype as Precision };
}

/** Plans and prints; resolves to the exit status. Throws UsageError, OptionError. */
export async function plan(asked: PlanCommandOptions): Promise<number> {
  const { from, json, latency, bandwidth, gemm, memoryBandwidth, ...given } = asked;
  if (from !== undefined && given.rank !== undefined)
    throw new UsageError('--rank and --from both say what ranks nodes have: give one of them.');
  const { rank, leafSize, dtype } = from === undefined ? {} : await ofRecord(from);
  const options: PlanOptions = {
    ...given,
    rank: given.rank ?? rank,
    leafSize: given.leafSize ?? leafSize,
    dtype: given.dtype ?? dtype,
    speeds: { latency, bandwidth, gemm, memory: memoryBandwidth },
  };
  const found = planRanks(options);
  const published = comparePublished(options, found.setup);
  if (json === true) printJson({ content: 'plan', ...found, published });
  else printReport((await import('./plan-report.js')).planReport(found, published));
  return EXIT_STATUS.done;
}
