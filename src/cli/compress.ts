/**
 * hmatrix compress.
 */
import type { CompressOptions } from '../hierarchical/from-entries/options.js';
import { resolveOptions } from '../hierarchical/from-entries/options.js';
import { toleranceAdvice, type AdvisedReport } from '../hierarchical/matrix/tolerance-advice.js';
import type { CompressionRecord } from '../experiment/record.js';
import type { TeamControl } from '../parallel/team-control.js';
import { checkDistance, checkInputOptions, loadInput, openInput, type OpenInput } from './input.js';
import { inDigits } from '../core/number-text.js';
import { EXIT_STATUS } from './outcome.js';
import { keepRecord, printRanks, requireKind, requireWritable, withTeam } from './run.js';
import { print, printJson, printReport, sayOnce } from './terminal.js';
import { asFlag } from './usage.js';
import type { CompressCommandOptions, RunOptions } from './command-options.js';

/** The library's options among the command's. */
export function compressOptions(options: CompressOptions): CompressOptions {
  const { format, leafSize, maxRank, objective, tolerance, neighbors, budget, distance, dtype, preserve } = options;
  const { seed, memoryLimit } = options;
  const given = {
    format,
    leafSize,
    maxRank,
    objective,
    tolerance,
    neighbors,
    budget,
    distance,
    dtype,
    preserve,
    seed,
    memoryLimit,
  };
  const compress = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as CompressOptions;
  resolveOptions(compress);
  return compress;
}

/** What can be found wrong before anything is opened. Throws OptionError, FileAccessError. */
export async function prepareRun(options: RunOptions): Promise<void> {
  compressOptions(options);
  requireKind('out', options.out, 'matrix');
  requireKind('record', options.record, 'record');
  await requireWritable(options.out);
  await requireWritable(options.record);
}

/** Compresses, multiplies, measures; saves and records where asked. */
export async function runAndSave(
  { source, input, model }: OpenInput,
  options: RunOptions,
  control: TeamControl,
): Promise<CompressionRecord> {
  const { runCompression } = await import('../experiment/compression-run.js');
  const device =
    options.device === undefined
      ? undefined
      : await (await import('../device/open.js')).openDevice(options.device, {}, control);
  const { matrix, record } = await runCompression(
    {
      source,
      model,
      device,
      input,
      options: compressOptions(options),
      vectors: options.vectors,
      blocks: options.record !== undefined,
    },
    control,
  ).finally(() => device?.close());
  try {
    if (options.out !== undefined) {
      const { writeMatrixFile } = await import('../hierarchical/matrix/file.js');
      const { originOf } = await import('../experiment/origin.js');
      await writeMatrixFile(options.out, matrix, originOf(record), control);
    }
    await keepRecord(options.record, record, control);
  } finally {
    matrix.release();
  }
  return record;
}

/**
 * The exit status of a run that is done, and a word on standard error where the tolerance was missed, or where the
 * sample leaves it undecided.
 */
export function statusOf({
  error,
  options,
  input,
  limits,
  chosen,
}: Pick<CompressionRecord, 'error' | 'input'> & {
  readonly chosen?: CompressionRecord['chosen'];
  readonly options: Omit<AdvisedReport, 'size' | 'limits'>;
  readonly limits: AdvisedReport['limits'];
}): number {
  if (error.decision === 'met') return EXIT_STATUS.done;
  if (error.decision === 'undecided') {
    const { relative, low, high, columns, tolerance } = error;
    sayOnce(
      `undecided whether the asked tolerance was met: relative error ${relative.toPrecision(4)}, asked ` +
        `${inDigits(tolerance)}, which lies in the 95 % interval ${low.toPrecision(4)} … ${high.toPrecision(4)} from ` +
        `${columns} columns.`,
    );
    return EXIT_STATUS.toleranceMissed;
  }
  sayOnce(
    `the asked tolerance was missed: relative error ${error.relative.toPrecision(4)}, ` +
      `asked ${inDigits(error.tolerance)}. ` +
      `${toleranceAdvice({ ...options, size: input.size, limits, chosen }, asFlag)}`,
  );
  return EXIT_STATUS.toleranceMissed;
}

/** Compresses, measures, saves and reports; resolves to the exit status. Throws UsageError. */
export async function compress(options: CompressCommandOptions): Promise<number> {
  checkInputOptions(options);
  await prepareRun(options);
  const load = (): Promise<unknown> => Promise.all([import('../experiment/compression-run.js'), loadInput(options)]);
  return withTeam(
    options,
    async (control) => {
      const opened = await openInput(options, options.seed, control, 'entries');
      checkDistance(options.distance, opened.source);
      const record = await runAndSave(opened, options, control);
      return { record, portable: control.team.blas.kind === 'portable' };
    },
    load,
  ).then(async ({ record, portable }) => {
    // The blocks are for pictures: the file of --record keeps them.
    if (options.json === true) printJson({ ...record, blocks: undefined });
    else if (options.quiet !== true) {
      const { runReport } = await import('./tables.js');
      printReport(runReport(record, portable));
      await printRanks(record.workers);
      if (options.out !== undefined) print(`saved to ${options.out}`);
    }
    return statusOf(record);
  });
}
