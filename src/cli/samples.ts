/**
 * The samples of a network, from the command's options: files of one's own, images, or generated digits.
 */
import type { NetworkSamples } from '../experiment/network-data.js';
import type { NamedFile } from '../experiment/sample-table.js';
import { isTable, READING_OPTIONS, type CsvFormat } from '../io/csv-format.js';
import { fileName } from '../io/array-path.js';
import type { TeamControl } from '../parallel/team-control.js';
import { sayOnce } from './terminal.js';
import { asFlag, UsageError } from './usage.js';
import type { NetworkOptions, TableOptions } from './command-options.js';
import { NETWORK_DEFAULTS } from './options/network-defaults.js';

/** Epochs of training where no weights are given. */
export const EPOCHS = 5;

/** Where samples come from. */
type DataOptions = Pick<TableOptions, 'images' | 'labels' | 'data' | 'targets' | 'target'> & Omit<CsvFormat, 'values'>;

/** Throws UsageError for options of data that do not go together. */
export function checkData(options: DataOptions): void {
  const { images, labels, data, targets, target } = options;
  if (data !== undefined && (images !== undefined || labels !== undefined))
    throw new UsageError(`--data does not go with --${images === undefined ? 'labels' : 'images'}.`);
  if (targets !== undefined && data === undefined)
    throw new UsageError('--targets goes with --data: a row of both is a sample.');
  if (labels !== undefined && images === undefined)
    throw new UsageError('--labels goes with --images: what is generated has labels of its own.');
  const tables = [data, targets].filter((path) => path !== undefined && isTable(path));
  if (target !== undefined) {
    if (targets !== undefined)
      throw new UsageError('Give --target COLUMN, a column of --data, or --targets FILE, a file of its own; not both.');
    if (data === undefined || !isTable(data))
      throw new UsageError('--target names a column of a table: it goes with --data FILE.csv (or .tsv).');
  }
  const reading = READING_OPTIONS.find((name) => options[name] !== undefined);
  if (reading !== undefined && tables.length === 0)
    throw new UsageError(`${asFlag(reading)} goes with a table of samples: --data FILE.csv (or .tsv).`);
  if (options.columns !== undefined && (data === undefined || !isTable(data)))
    throw new UsageError('--columns chooses the columns of --data, and goes with --data FILE.csv (or .tsv).');
  if (options.incompleteRows === 'skip' && targets !== undefined)
    throw new UsageError(
      '--incomplete-rows skip does not go with --targets: the rows of two files would no longer belong together. ' +
        'Put the targets into a column of --data, and name it by --target.',
    );
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
  const { images, labels, data, targets, target, samples, seed } = options;
  if (data !== undefined) {
    const { readSampleTable } = await import('../experiment/sample-table.js');
    const named = (path: string): NamedFile => ({ path, name: fileName(path) });
    const wanted = targets === undefined ? undefined : named(targets);
    const name = [named(data), ...(wanted === undefined ? [] : [wanted])].map((file) => file.name).join(' and ');
    const { columns, header, delimiter, decimal, incompleteRows } = options;
    const how = { columns, header, delimiter, decimal, incompleteRows, target };
    return { ...(await readSampleTable(named(data), wanted, control, how)), name };
  }
  if (images === undefined) {
    const { digitImages } = await import('../../datasets/digits.js');
    const digits = digitImages(samples, seed);
    return { images: digits.images, labels: digits.labels, name: 'generated digits' };
  }
  const { readLabeledImages } = await import('../experiment/network-data.js');
  const read = await readLabeledImages(images, labels, samples, control);
  const { count, dimension, table } = read.images;
  const name = fileName(images);
  return { ...read, tables: table === undefined ? undefined : [{ name, count, dimension, table }], name };
}

/** Says which activation is taken where weights are given and none is named: files of weights do not hold it. */
export function tellAssumed(
  { weights, quiet }: Pick<NetworkOptions, 'weights'> & { readonly quiet?: boolean | undefined },
  activationGiven: boolean,
): void {
  if (weights === undefined || activationGiven || quiet === true) return;
  sayOnce(
    `the file of --weights does not say with which activation they were trained: ${NETWORK_DEFAULTS.activation[0]} ` +
      'is assumed. Name another by --activation.',
  );
}
