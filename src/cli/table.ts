/**
 * hmatrix table: approximations of a Gauss–Newton Hessian at equal memory.
 */
import { basename } from 'node:path';
import type { NetworkSamples } from '../experiment/network-data.js';
import type { NamedFile } from '../experiment/sample-table.js';
import { TABLE_METHODS } from '../experiment/table-plan.js';
import type { TableRecord } from '../experiment/table-record.js';
import type { TableSetup } from '../experiment/table-run.js';
import type { TeamControl } from '../parallel/team-control.js';
import { EXIT_STATUS } from './outcome.js';
import { requireWritable, withTeam } from './run.js';
import { print, printJson } from './terminal.js';
import { UsageError } from './usage.js';
import type { TableOptions } from './command-options.js';

/** Epochs of training where no weights are given. */
export const EPOCHS = 5;

/** Where samples come from. */
type DataOptions = Pick<TableOptions, 'images' | 'labels' | 'data' | 'targets'>;

/** Throws UsageError for options of data that do not go together. */
export function checkData({ images, labels, data, targets }: DataOptions): void {
  if (data !== undefined && (images !== undefined || labels !== undefined))
    throw new UsageError(`--data does not go with --${images === undefined ? 'labels' : 'images'}.`);
  if (targets !== undefined && data === undefined)
    throw new UsageError('--targets goes with --data: a row of both is a sample.');
  if (labels !== undefined && images === undefined)
    throw new UsageError('--labels goes with --images: the generated digits have their own labels.');
}

/** How many samples are taken: of rows of one's own at most as many as there are, where no number was given. */
export const samplesOf = (opened: NetworkSamples, samples: number, given: boolean): number =>
  given || !('inputs' in opened) ? samples : Math.min(samples, opened.inputs.count);

/**
 * Samples of the options: rows with targets, or images and labels; without a file the first generated digits. Throws as
 * readSampleTable and readLabeledImages do.
 */
export async function openData(
  options: DataOptions & { readonly samples: number; readonly seed: number },
  control: TeamControl,
): Promise<NetworkSamples & { readonly name: string }> {
  const { images, labels, data, targets, samples, seed } = options;
  if (data !== undefined) {
    const { readSampleTable } = await import('../experiment/sample-table.js');
    const named = (path: string): NamedFile => ({ path, name: basename(path) });
    const wanted = targets === undefined ? undefined : named(targets);
    const name = [named(data), ...(wanted === undefined ? [] : [wanted])].map((file) => file.name).join(' and ');
    return { ...(await readSampleTable(named(data), wanted, control)), name };
  }
  if (images === undefined) {
    const { digitImages } = await import('../../datasets/digits.js');
    const digits = digitImages(samples, seed);
    return { images: digits.images, labels: digits.labels, name: 'generated digits' };
  }
  const { readLabeledImages } = await import('../experiment/network-data.js');
  const read = await readLabeledImages(images, labels, samples, control);
  const { count, dimension, table } = read.images;
  const name = basename(images);
  return { ...read, tables: table === undefined ? undefined : [{ name, count, dimension, table }], name };
}

/** The run's setup, without its data. */
function setupOf(options: TableOptions): Omit<TableSetup, 'data'> {
  const {
    network,
    activation,
    loss,
    bias,
    samples,
    epochs,
    learningRate,
    batchSize,
    weights,
    low,
    high,
    methods,
    vectors,
    seed,
    memoryLimit,
  } = options;
  return {
    widths: network,
    activation: activation.length === 1 ? activation[0] : activation,
    loss,
    bias,
    samples,
    epochs: epochs ?? (weights === undefined ? EPOCHS : 0),
    batchSize,
    learningRate,
    weights: weights === undefined ? undefined : { path: weights, name: basename(weights) },
    low,
    high,
    methods: methods.length === 1 && methods[0] === 'all' ? TABLE_METHODS : methods,
    vectors,
    seed,
    memoryLimit,
  };
}

/** Runs the table and prints it; `announce` is called when the run begins. */
export async function tableOf(
  options: TableOptions,
  announce?: (setup: Omit<TableSetup, 'data'>) => void,
): Promise<TableRecord> {
  const { checkTable, runTable } = await import('../experiment/table-run.js');
  const setup = setupOf(options);
  const misplaced = (['size', 'matrices'] as const).find((name) => options[name] !== undefined);
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} goes with --preconditioners.`);
  checkData(options);
  checkTable(setup);
  await requireWritable(options.record);
  const { record, portable } = await withTeam(options, async (control) => {
    const data = await openData(options, control);
    const fitted = { ...setup, samples: samplesOf(data, setup.samples, options.samplesGiven !== false) };
    announce?.(fitted);
    const done = await runTable({ ...fitted, data }, control);
    if (options.record !== undefined) {
      const { writeRecord } = await import('../experiment/record.js');
      await writeRecord(options.record, done, { signal: control.signal });
    }
    return { record: done, portable: control.team.blas.kind === 'portable' };
  });
  if (options.json === true) printJson(record);
  else if (options.quiet !== true) {
    const { tableReport } = await import('./table-report.js');
    print(tableReport(record, portable));
  }
  return record;
}

/** Runs the table of approximations, records and reports it; resolves to the exit status. */
export async function table(options: TableOptions): Promise<number> {
  await tableOf(options);
  return EXIT_STATUS.done;
}
