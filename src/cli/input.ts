/**
 * From the command's options to a matrix source: a stored matrix, a kernel over points, a named test matrix.
 */
import { FileFormatError, HmatrixError, OptionError } from '../core/errors.js';
import type { Communicator } from '../distributed/communicator.js';
import { ownPortion } from '../distributed/portion.js';
import { awaitTogether } from '../distributed/together.js';
import type { InputDescription } from '../experiment/record.js';
import { fileName } from '../io/array-path.js';
import { isTable, READING_OPTIONS, tableTaken, TABLE_OPTIONS, type CsvReading } from '../io/csv-format.js';
import type { PointTable, ReadPointsOptions } from '../io/points.js';
import type { Model } from '../network/model.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { AskedSystem } from '../source/dense-source.js';
import type { EntrySource, Points } from '../source/entry-source.js';
import type { Kernel, KernelForm } from '../source/kernels/kernel.js';
import { entryDistances, needsPoints, type DistanceName } from '../tree/distances/table.js';
import type { InputOptions } from './command-options.js';
import { NETWORK_ONLY, openNetwork } from './network-input.js';
import { checkData } from './samples.js';
import { asFlag, UsageError } from './usage.js';

/** The matrix, and how the record describes it. */
export interface OpenInput {
  readonly source: EntrySource;
  readonly input: InputDescription;
  /** The columns of `valueColumns` and, behind them, of `values`: row by row with the points. */
  readonly values?: PointTable | undefined;
  /** The network, where the matrix is its curvature. */
  readonly model?: Model | undefined;
}

/** Parameters of families, beside the bandwidth. */
const PARAMETERS = ['degree', 'alpha', 'period'] as const;

/** Where a matrix can come from, each with the option that says so. */
const KINDS = ['matrix', 'points', 'named', 'network'] as const;
type InputKind = (typeof KINDS)[number];

/** Which options belong to which kind of input. */
const BELONGING: Readonly<Record<InputKind, readonly (keyof InputOptions)[]>> = {
  matrix: [],
  points: ['kernel', 'bandwidth', ...PARAMETERS, 'ridge', 'limit', ...TABLE_OPTIONS],
  named: ['size'],
  network: [...NETWORK_ONLY, ...READING_OPTIONS],
};

/** All options that say what the matrix is. */
export const INPUT_OPTIONS: readonly (keyof InputOptions)[] = [
  ...new Set([...KINDS, ...Object.values(BELONGING).flat()]),
];

/**
 * Exactly one input, with no options of another kind; to be called before anything is opened. `otherwise`: what else
 * could be given. Throws UsageError.
 */
export function checkInputOptions(options: InputOptions, otherwise = ''): InputKind {
  const kinds = KINDS.filter((kind) => options[kind] !== undefined);
  if (kinds.length !== 1) {
    const lost = kinds.length === 0 ? NETWORK_ONLY.find((name) => options[name] !== undefined) : undefined;
    if (lost !== undefined) throw new UsageError(`${asFlag(lost)} goes with --network.`);
    const both = `, not ${kinds.map((kind) => `--${kind}`).join(' and ')}`;
    throw new UsageError(
      'Give one of --matrix FILE, --points FILE, --named NAME and --network WIDTHS' +
        `${kinds.length > 1 ? both : otherwise}.`,
    );
  }
  const [kind] = kinds;
  for (const name of INPUT_OPTIONS) {
    if (name === kind || options[name] === undefined || BELONGING[kind].includes(name)) continue;
    const owners = KINDS.filter((owner) => BELONGING[owner].includes(name)).map((owner) => `--${owner}`);
    throw new UsageError(`${asFlag(name)} goes with ${owners.join(' or ')}, not with --${kind}.`);
  }
  if (kind === 'named' && options.size === undefined) throw new UsageError('--named needs --size N, a perfect square.');
  if (kind === 'network') {
    checkData(options);
    checkDistance(options.distance, {});
  }
  if (kind === 'points' && generator(options.points!) !== undefined) {
    const misplaced = TABLE_OPTIONS.find((name) => options[name] !== undefined);
    if (misplaced !== undefined) {
      const flag = asFlag(misplaced);
      throw new UsageError(`${flag} goes with a table of points (.csv, .tsv), not with --points ${options.points}.`);
    }
  }
  return kind;
}

/** Loads the modules that `openInput` is going to import. */
export async function loadInput(options: InputOptions): Promise<void> {
  if (options.named !== undefined) await import('../../datasets/named.js');
  else if (options.matrix !== undefined)
    await Promise.all([import('../io/matrix-file.js'), import('../source/dense-source.js')]);
  else if (options.points !== undefined)
    await Promise.all([import('../source/kernel-source.js'), import('../io/points.js')]);
}

/**
 * Opens the input; a stored matrix is checked as one of the `system` that is to be solved with it, else as positive
 * semidefinite. Where it is only to be compressed ('entries'), each of several ranks takes its own part of points,
 * where the distance is theirs. Throws UsageError, OptionError (wrong usage), or the errors of
 * files and sources.
 */
export async function openInput(
  options: InputOptions,
  seed: number,
  control: TeamControl,
  system: AskedSystem | 'entries' = {},
): Promise<OpenInput> {
  const kind = checkInputOptions(options);
  const { blas } = control.team;
  if (kind === 'network') {
    const { model, input } = await openNetwork(options, options.network!, seed, control);
    const { gaussNewtonSource } = await import('../curvature/entries/gauss-newton-source.js');
    return { source: gaussNewtonSource(model, { blas }), input, model };
  }
  if (kind === 'named') {
    const { named } = await import('../../datasets/named.js');
    const source = namingOption(() => named(options.named!, options.size!, { blas }));
    return { source, input: { kind, name: options.named!.toUpperCase(), size: source.size } };
  }
  if (kind === 'matrix') return openMatrix(options.matrix!, system === 'entries' ? {} : system, control);
  const { communicator } = control.team;
  const { distance = 'auto' } = options;
  const isPartial = system === 'entries' && (distance === 'auto' || needsPoints(distance));
  const part = isPartial && communicator.size > 1 ? communicator : undefined;
  const points = await awaitTogether(communicator, () => openPoints(options, seed, control, part));
  return openKernel(points, options, seed, { control, part });
}

/** Throws UsageError for a distance of points where the input has none. */
export function checkDistance(
  distance: DistanceName | undefined,
  { points, parts }: Pick<EntrySource, 'points' | 'parts'>,
): void {
  if (distance === undefined || points !== undefined || parts !== undefined || !needsPoints(distance)) return;
  throw new UsageError(
    `--distance ${distance} needs points, and the input has none: choose ${entryDistances().join(' or ')}, which use ` +
      'entries alone.',
  );
}

/** An OptionError of a test matrix, with the option it is about. */
function namingOption<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new UsageError(`${'size' in error.data ? '--size' : '--named'}: ${error.message}`);
  }
}

async function openMatrix(path: string, system: AskedSystem, control: TeamControl): Promise<OpenInput> {
  if (isTable(path))
    throw new UsageError(
      `--matrix ${path}: a stored matrix is an .npy file (numpy.save, or writeMatrix of hmatrix/io), .npz, ` +
        '.safetensors, .h5 or .mtx; a table of points goes with --points.',
    );
  const { readMatrix } = await import('../io/matrix-file.js');
  const { addedToDiagonal, storedSource } = await import('../source/dense-source.js');
  const matrix = await readMatrix(path, control);
  if (matrix.rows !== matrix.cols)
    throw new FileFormatError(
      `${path}: the matrix is ${matrix.rows} × ${matrix.cols}; a square symmetric one is needed.`,
      { path, rows: matrix.rows, cols: matrix.cols },
    );
  const source = storedSource(matrix, addedToDiagonal(system));
  return { source, input: { kind: 'matrix', name: fileName(path), size: source.size } };
}

/** `normal:N,d` or `uniform:N,d` taken apart; undefined for a file. */
function generator(text: string): { name: 'normal' | 'uniform'; count: number; dimension: number } | undefined {
  const [, name, rest] = /^(normal|uniform):(.*)$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  const [, count, dimension] = /^(\d{1,10}),(\d{1,7})$/.exec(rest) ?? [];
  if (!(Number(count) >= 1 && Number(dimension) >= 1))
    throw new UsageError(
      `--points ${text}: after "${name}:" must come the number of points and their dimension, such as ${name}:4096,6.`,
    );
  return { name: name as 'normal' | 'uniform', count: Number(count), dimension: Number(dimension) };
}

interface NamedPoints {
  readonly points: Points;
  readonly name: string;
  readonly table?: CsvReading | undefined;
  readonly values?: PointTable | undefined;
}

/** Points from a generator or a file, all or a rank's part, and what to call them. */
async function openPoints(
  options: InputOptions,
  seed: number,
  control: TeamControl,
  part: Communicator | undefined,
): Promise<NamedPoints> {
  const { points: text = '', limit, columns, header, delimiter, decimal, incompleteRows } = options;
  const random = generator(text);
  if (random !== undefined) {
    const { normalPoints, uniformPoints } = await import('../../datasets/points.js');
    const { copyPoints } = await import('../source/points.js');
    const count = Math.min(random.count, limit ?? random.count);
    const points = (random.name === 'normal' ? normalPoints : uniformPoints)(count, random.dimension, seed);
    return {
      points: part === undefined ? points : copyPoints(points, ownPortion(part, count)),
      name: `${random.name}, ${random.dimension} dimensions`,
    };
  }
  const { signal, onProgress } = control;
  const how = { signal, onProgress, limit, part, columns, header, delimiter, decimal, incompleteRows };
  const { points, values } = await readFile(text, options, how);
  return { points, values, table: points.table, name: fileName(text) };
}

/** Points of a file, and the columns of a table that are values. */
async function readFile(
  path: string,
  { valueColumns = [], values = [] }: InputOptions,
  how: ReadPointsOptions,
): Promise<{ readonly points: PointTable; readonly values?: PointTable | undefined }> {
  if (valueColumns.length + values.length > 0) {
    if (!isTable(path)) throw new UsageError(`--values goes with a table of points (.csv, .tsv), not with ${path}.`);
    const { readSplitTable } = await import('../experiment/split-columns.js');
    return readSplitTable(path, [...valueColumns, ...values], how, valueColumns.length > 0 ? 'rhsColumn' : 'values');
  }
  return { points: await (await import('../io/points.js')).readPoints(path, how) };
}

/** What takes parts of points: one process does not load it. */
async function importPartitioned() {
  const { partitionedBandwidth } = await import('../source/partitioned-bandwidth.js');
  const { partitionedKernelSource } = await import('../source/partitioned-kernel.js');
  return { partitionedBandwidth, partitionedKernelSource };
}

/** The kernel matrix over `points` that the options describe. */
async function openKernel(
  named: NamedPoints,
  options: InputOptions,
  seed: number,
  { control, part }: { readonly control: TeamControl; readonly part: Communicator | undefined },
): Promise<OpenInput> {
  const { blas } = control.team;
  const { points, name, table, values } = named;
  return tellingTable(named, async () => {
    const { kernelSource } = await import('../source/kernel-source.js');
    const ofRanks = part === undefined ? undefined : await importPartitioned();
    const { medianBandwidth } = await import('../source/points.js');
    const text = (options.kernel ?? 'gaussian').trim();
    const form = await formOf(text);
    const needsBandwidth =
      form === undefined ? /\bh\b/.test(text) || options.bandwidth !== undefined : 'bandwidth' in form.parameters;
    const kernelOf = await kernelByText(text, options);
    // In the units of the distances that the kernel takes.
    const scaled = async (): Promise<Points> =>
      form === undefined ? points : ((await kernelOf(1)).map?.apply(points) ?? points);
    const h = !needsBandwidth
      ? undefined
      : typeof options.bandwidth === 'number'
        ? options.bandwidth
        : ofRanks === undefined
          ? medianBandwidth(await scaled(), seed)
          : await ofRanks.partitionedBandwidth(await scaled(), seed, undefined, control);
    const kernel = await kernelOf(h);
    const how = { blas, ridge: options.ridge ?? 0 };
    const source =
      ofRanks === undefined
        ? kernelSource(points, kernel, how)
        : await ofRanks.partitionedKernelSource(points, kernel, how, control);
    const { size } = source;
    const { dimension } = points;
    const given = { table, bandwidth: h, ridge: options.ridge };
    return { source, values, input: { kind: 'points', name, size, dimension, kernel: kernel.name, ...given } };
  });
}

/** Runs the work; errors of the library about points of a table say which columns were taken. */
async function tellingTable<T>({ name, table }: NamedPoints, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (table !== undefined && error instanceof HmatrixError) error.message += ` ${tableTaken(name, table)}`;
    throw error;
  }
}

/** The family of that name, or undefined for an expression. */
async function formOf(text: string): Promise<KernelForm | undefined> {
  const { KERNEL_TABLE, kernelFamilies } = await import('../source/kernels/table.js');
  const family = kernelFamilies.find((name) => name === text);
  return family === undefined ? undefined : KERNEL_TABLE[family];
}

/** The kernel of that name or expression for a bandwidth. Throws UsageError. */
async function kernelByText(
  text: string,
  options: InputOptions,
): Promise<(h: number | undefined) => Kernel | Promise<Kernel>> {
  const { familiesWith, kernelFamilies, kernelFromDefinition, otherKernelName } =
    await import('../source/kernels/table.js');
  const family = kernelFamilies.find((name) => name === text);
  for (const parameter of PARAMETERS) {
    const takes = familiesWith(parameter);
    if (options[parameter] !== undefined && !takes.some((name) => name === text))
      throw new UsageError(`${asFlag(parameter)} goes with --kernel ${takes.join(' or ')}.`);
  }
  const { degree, alpha, period } = options;
  if (family !== undefined)
    return (bandwidth = 1) => kernelFromDefinition({ family, bandwidth, degree, alpha, period });
  // A lone word is a misspelt name rather than an expression.
  if (text === '' || /^(?!r$)[A-Za-z]\w*$/.test(text))
    throw new UsageError(
      `--kernel ${JSON.stringify(text)}: there are ${kernelFamilies.join(', ')}, or an expression in r such as ` +
        `"exp(-r^2/2)".${otherKernelName(text)}`,
    );
  const joined = kernelFamilies.find((name) => new RegExp(`\\b${name}\\b`).test(text));
  if (joined !== undefined)
    throw new UsageError(
      `--kernel ${JSON.stringify(text)}: kernels are not joined by name here: sums and products of them are made in ` +
        'the library (sumKernels, productKernels, scaleKernel of hmatrix/kernels). The command takes one of ' +
        `${kernelFamilies.join(', ')}, or an expression in r such as "exp(-r^2/2) + exp(-r)".`,
    );
  const { expressionKernel } = await import('../source/kernels/expression.js');
  return (h) => expressionKernel(text, h);
}
