/**
 * hmatrix tune.
 */
import { HmatrixError } from '../core/errors.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { TuneRecord } from '../experiment/tune-run.js';
import { compressOptions } from './compress.js';
import type { TuneCommandOptions } from './command-options.js';
import { checkDistance, checkInputOptions, openInput } from './input.js';
import { EXIT_STATUS, withFlags } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';

/** Chooses, records and reports; resolves to the exit status. Throws UsageError. */
export async function tune(options: TuneCommandOptions): Promise<number> {
  checkInputOptions(options);
  const asked = compressOptions(options);
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  const work = async (control: TeamControl): Promise<TuneRecord> => {
    const { runTune } = await import('../experiment/tune-run.js');
    const { source, input } = await openInput(options, options.seed, control);
    checkDistance(options.distance, source);
    try {
      return await runTune({ source, input, options: asked }, control);
    } catch (error) {
      if (error instanceof HmatrixError) error.message = withFlags(error.message, ['memoryLimit', 'maxRank']);
      throw error;
    }
  };
  await runRecorded(options, work, async () => (await import('./tune-report.js')).tuneReport);
  return EXIT_STATUS.done;
}
