/**
 * hmatrix factor and hmatrix logdet: of a saved matrix, or of one compressed on the spot.
 */
import { HmatrixError, NotPositiveDefiniteError } from '../core/errors.js';
import type { FactorRecord } from '../experiment/factor-run.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { CompressOptions } from '../hierarchical/from-entries/options.js';
import type { JsonObject } from '../io/container.js';
import type { TeamControl } from '../parallel/team-control.js';
import { compressOptions, statusOf } from './compress.js';
import { checkDistance, checkInputOptions, INPUT_OPTIONS, openInput } from './input.js';
import { EXIT_STATUS, withFlags } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';
import { openSaved, refuseBesides, tellShift } from './saved.js';
import { print } from './terminal.js';
import { UsageError } from './usage.js';
import type { FactorCommandOptions } from './command-options.js';

/** How a matrix is compressed. */
const COMPRESSING = [
  'format',
  'tolerance',
  'leafSize',
  'maxRank',
  'neighbors',
  'distance',
  'dtype',
  'preserve',
] as const satisfies readonly (keyof CompressOptions)[];

/** What can be found wrong before anything is opened. Throws UsageError, OptionError. */
function checkOptions(file: string | undefined, options: FactorCommandOptions): void {
  if (file !== undefined) {
    refuseBesides(file, options, INPUT_OPTIONS, COMPRESSING);
    if (options.probes !== undefined && options.probes > 0)
      throw new UsageError(
        `--probes is about the log determinant of the matrix itself, and ${file} holds the compressed one alone.`,
      );
    return;
  }
  checkInputOptions(options, ', or the file of a matrix that hmatrix compress --out wrote');
  compressOptions(options);
}

async function run(
  record: FactorRecord['record'],
  file: string | undefined,
  options: FactorCommandOptions,
  control: TeamControl,
): Promise<FactorRecord> {
  const { runFactor } = await import('../experiment/factor-run.js');
  const { shift, seed, memoryLimit, probes, out } = options;
  const { signal, onProgress } = control;
  const keep =
    out === undefined
      ? undefined
      : async (factorization: Factorization, about: JsonObject | undefined) => {
          const { writeFactorizationFile } = await import('../hierarchical/factor/file.js');
          await writeFactorizationFile(out, factorization, about, { signal, onProgress });
        };
  const asked = { record, shift, seed, memoryLimit, probes, keep };
  if (file !== undefined) {
    const began = performance.now();
    const { matrix, input, about } = await openSaved(file, control);
    const loaded = { matrix, about, seconds: (performance.now() - began) / 1000 };
    return runFactor({ ...asked, input, loaded }, control);
  }
  const { source, input, model } = await openInput(options, seed, control);
  checkDistance(options.distance, source);
  return runFactor(
    { ...asked, input, compress: { source, model, options: { ...compressOptions(options), objective: 'solve' } } },
    control,
  );
}

/** Runs the work; errors of the library name flags. */
async function namingFlags<T>(otherwise: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NotPositiveDefiniteError && 'suggestedShift' in error.data) throw tellShift(error, otherwise);
    if (error instanceof HmatrixError) error.message = withFlags(error.message, ['memoryLimit', 'maxRank']);
    throw error;
  }
}

/** Factors, records and reports; resolves to the exit status. Throws UsageError. */
async function factored(
  record: FactorRecord['record'],
  file: string | undefined,
  options: FactorCommandOptions,
): Promise<number> {
  checkOptions(file, options);
  requireKind('out', options.out, 'factors');
  await requireWritable(options.out);
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  const otherwise = file === undefined ? 'give a smaller --tolerance' : 'compress to a tighter tolerance';
  const done = await runRecorded(
    options,
    (control) => namingFlags(otherwise, () => run(record, file, options, control)),
    async () => (await import('./factor-report.js')).factorReport,
  );
  if (options.out !== undefined && options.json !== true && options.quiet !== true) print(`saved to ${options.out}`);
  const { error } = done;
  return error === null ? EXIT_STATUS.done : statusOf({ ...done, error });
}

/** Factors K̃ + λI and reports seconds, memory, log determinant and residual; resolves to the exit status. */
export const factor = (file: string | undefined, options: FactorCommandOptions): Promise<number> =>
  factored('factor', file, options);

/** log det(K̃ + λI); resolves to the exit status. */
export const logdet = (file: string | undefined, options: FactorCommandOptions): Promise<number> =>
  factored('logdet', file, options);
