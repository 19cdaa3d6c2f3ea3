/**
 * Samples of one's own, a row each, and their targets: .npy, .npz, safetensors, HDF5, tables, IDX.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError, ShapeError } from '../core/errors.js';
import { view } from '../dense/matrix.js';
import { tableTaken, type CsvFormat, isTable } from '../io/csv-format.js';
import { listedArrays } from '../io/array-choice.js';
import { arrayPath, splitArrayPath, type ArrayFileKind } from '../io/array-path.js';
import { readArrayNames } from '../io/named-arrays.js';
import { readPoints, readSamples, type PointTable } from '../io/points.js';
import { labelTargets, memoryDataSet, type DataSet } from '../network/data-set.js';
import { lossOf, type LossName } from '../network/losses/table.js';
import type { Network } from '../network/network.js';
import type { TableReading } from './record.js';
import { readSplitTable, type Column } from './split-columns.js';

/** A file, and what it is called in records: without its folder. */
export interface NamedFile {
  readonly path: string;
  readonly name: string;
}

/** Rows of a file. */
interface Rows extends Pick<PointTable, 'dimension' | 'count' | 'coordinates' | 'table'> {
  /** The file's own name, without its folder. */
  readonly name: string;
}

/** Samples and targets as they were read, row i of both belonging together; without targets samples are their own. */
export interface SampleTable {
  readonly inputs: Rows;
  readonly targets?: Rows | undefined;
  /** What was taken of those of the files that are tables. */
  readonly tables: readonly TableReading[];
}

/** A sentence on the columns that were taken, where the file is a table. */
const taken = ({ name, table }: Rows): string => (table === undefined ? '' : ` ${tableTaken(name, table)}`);

/** Names that arrays of an archive are looked for by, where there are several. */
const NAMES = { data: ['data', 'x', 'X', 'inputs'], targets: ['targets', 'y', 'Y', 'labels'] } as const;

/** Rows of an array of an archive: of the only one, or of that with one of the usual names. */
async function archiveRows(
  path: string,
  kind: ArrayFileKind,
  role: keyof typeof NAMES,
  control: RunControl,
): Promise<PointTable> {
  const names = await readArrayNames(path, control);
  const usual = NAMES[role];
  const name = names.length === 1 ? names[0] : usual.find((one) => names.includes(one));
  if (name === undefined)
    throw new FileFormatError(
      `${path}: which of its arrays holds the ${role}? There are ` +
        `${listedArrays(new Map(names.map((one) => [one, { shape: null }])))}; one alone is taken, one called ` +
        `${usual.join(', ')}, or the one that is named: ${arrayPath(kind, path, names[0] ?? 'name')}.`,
      { path, names },
    );
  const { rows: dimension, cols: count, data } = await readSamples(path, { ...control, name });
  return { dimension, count, coordinates: data as Float64Array, total: count };
}

const rowsOf = ({ dimension, count, coordinates, table }: PointTable, name: string): Rows => ({
  name,
  dimension,
  count,
  coordinates,
  table,
});

async function readRows(
  { path, name }: NamedFile,
  role: keyof typeof NAMES,
  format: CsvFormat,
  control: RunControl,
): Promise<Rows> {
  const { signal, onProgress } = control;
  const { kind, name: array } = splitArrayPath(path);
  const several = kind !== undefined && array === undefined;
  const read = several
    ? await archiveRows(path, kind, role, { signal, onProgress })
    : await readPoints(path, { ...(isTable(path) ? format : {}), signal, onProgress });
  return rowsOf(read, name);
}

/** How tables with samples are read. */
export interface SampleReading extends CsvFormat {
  /** Columns of the data's own table that are the targets; all others, or `columns`, are inputs. */
  readonly target?: readonly Column[] | undefined;
}

/** Inputs and targets, of one table or of two files. Throws as readSampleTable does. */
async function readBoth(
  data: NamedFile,
  targets: NamedFile | undefined,
  { target, ...format }: SampleReading,
  { signal, onProgress }: RunControl,
): Promise<Pick<SampleTable, 'inputs' | 'targets'>> {
  const { name } = data;
  if (target !== undefined) {
    const { points, values } = await readSplitTable(data.path, target, { ...format, signal, onProgress }, 'target');
    return { inputs: rowsOf(points, name), targets: rowsOf(values, name) };
  }
  const inputs = await readRows(data, 'data', format, { signal, onProgress });
  if (targets === undefined) return { inputs };
  const others = { ...format, columns: undefined };
  return { inputs, targets: await readRows(targets, 'targets', others, { signal, onProgress }) };
}

/**
 * Reads samples, a row each, and their targets: .npy, CSV, IDX, an array by name (`FILE.npz:name`), or an .npz,
 * .safetensors or .h5 (the only array, or the one called data, x, X, inputs; targets, y, Y, labels). `how` says which
 * columns of tables are taken, and `target` which columns of the data are the targets, instead of a file of them.
 * Throws ShapeError unless both files have equally many rows, FileFormatError, and what readPoints and readNpz throw.
 */
export async function readSampleTable(
  data: NamedFile,
  targets: NamedFile | undefined,
  control: RunControl = {},
  how: SampleReading = {},
): Promise<SampleTable> {
  const { inputs, targets: wanted } = await readBoth(data, targets, how, control);
  if (wanted !== undefined && wanted.count !== inputs.count)
    throw new ShapeError(
      `${inputs.name} has ${inputs.count} rows, ${wanted.name} ${wanted.count}: each sample has its row in both.`,
      { inputs: inputs.count, targets: wanted.count },
    );
  const read = wanted === undefined ? [inputs] : [inputs, { ...wanted, role: 'targets' as const }];
  const tables = read.flatMap(({ coordinates: _, table, ...facts }) =>
    table === undefined ? [] : [{ ...facts, table }],
  );
  return { inputs, targets: wanted, tables };
}

/**
 * The first `samples` rows as a data set in memory. Targets of one column are class labels where the loss is on
 * classes; without targets each sample is its own. Throws OptionError (too few rows, labels out of range, no targets
 * for a loss on classes), ShapeError with both numbers where a width of the network is another than that of the file.
 */
export function sampleDataSet(
  { inputs: outer, outputs }: Pick<Network, 'inputs' | 'outputs'>,
  loss: LossName,
  { inputs, targets }: SampleTable,
  samples: number,
): DataSet {
  const { name, count, dimension } = inputs;
  if (count < samples)
    throw new OptionError(`${name} has ${count} rows; ${samples} samples are asked for.`, {
      option: 'samples',
      rows: count,
      samples,
    });
  if (dimension !== outer)
    throw new ShapeError(
      `The network takes ${outer} inputs, the rows of ${name} have ${dimension} numbers: its first width must be ` +
        `${dimension}.${taken(inputs)}`,
      { network: outer, data: dimension },
    );
  const columns = ({ dimension: rows, coordinates }: Rows) =>
    view(coordinates.subarray(0, samples * rows), 0, rows, samples);
  const x = columns(inputs);
  const { classes } = lossOf(loss);
  if (targets === undefined) {
    if (classes)
      throw new OptionError(
        `The loss ${loss} is on classes and needs labels: give a file of them, a row a sample, or a column of the ` +
          'data.',
        {
          option: 'targets',
        },
      );
    if (outputs !== dimension)
      throw new ShapeError(
        `The network gives ${outputs} outputs, and without targets each sample, of ${dimension} numbers, is its own: ` +
          `its last width must be ${dimension}, or give targets.${taken(inputs)}`,
        { network: outputs, targets: dimension },
      );
    return memoryDataSet(x, x, { samples: 'columns' });
  }
  if (classes && targets.dimension === 1)
    return memoryDataSet(x, labelTargets(targets.coordinates.subarray(0, samples), outputs), { samples: 'columns' });
  if (targets.dimension !== outputs) {
    const ofClasses = targets.dimension === 1 ? ' (class labels go with a loss on classes, such as cross-entropy)' : '';
    throw new ShapeError(
      `The network gives ${outputs} outputs, the rows of ${targets.name} have ${targets.dimension} ` +
        `number${targets.dimension === 1 ? '' : 's'}: its last width must be ${targets.dimension}${ofClasses}.` +
        taken(targets),
      { network: outputs, targets: targets.dimension },
    );
  }
  return memoryDataSet(x, columns(targets), { samples: 'columns' });
}
