/**
 * hmatrix solve.
 */
import { basename, resolve } from 'node:path';
import { throwIfAborted } from '../core/context.js';
import { HmatrixError, NotPositiveDefiniteError, OptionError } from '../core/errors.js';
import type { Matrix } from '../dense/matrix.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { SolveRecord, SolveSetup } from '../experiment/solve-run.js';
import { resolveOptions, type CompressOptions } from '../hierarchical/from-entries/options.js';
import { isTable } from '../io/csv-format.js';
import type { PointTable } from '../io/points.js';
import type { TeamControl } from '../parallel/team-control.js';
import { checkDistance, checkInputOptions, INPUT_OPTIONS, openInput } from './input.js';
import { readJsonObject } from './config-file.js';
import { openFactors, openSaved, refuseBesides, tellShift } from './saved.js';
import { inDigits } from '../core/number-text.js';
import { EXIT_STATUS, withFlags } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';
import { openNetwork } from './network-input.js';
import { print, sayOnce } from './terminal.js';
import { asFlag as flag, UsageError } from './usage.js';
import { checkVectors, openVectors, tableVectors, writeVectors, type OpenVectors } from './vectors.js';
import { requireRates, type MachineRates } from '../solve/machine-rates.js';
import type { SolveCommandOptions } from './command-options.js';

const FORMAT_ONLY = ['neighbors', 'budget', 'distance', 'dtype'] as const;
/** What a saved matrix has been through. */
const COMPRESSING = ['format', ...FORMAT_ONLY] as const;
/** Of what is compressed for a preconditioner. */
const MAKING = ['leafSize', 'maxRank', 'compressTolerance', 'rank'] as const;

/** Whether b stands in a column of the table whose rows are the points: both are then read together. */
const besidePoints = ({ points, rhs }: Pick<SolveCommandOptions, 'points' | 'rhs'>): boolean =>
  points !== undefined && isTable(points) && resolve(points) === resolve(rhs);

/** --rhs-column alone names a column of the points' own table. */
const withRightHandSide = (options: SolveCommandOptions): SolveCommandOptions =>
  options.rhsColumn !== undefined && options.rhs === 'seeded' && options.points !== undefined && isTable(options.points)
    ? { ...options, rhs: options.points }
    : options;

/** What says how a table is read, where there is no table but that of b. */
const READING = ['header', 'delimiter', 'decimal'] as const;

/** What can be found wrong about b before anything is opened; returns the options that are left for the matrix. */
function checkRightHandSide(file: string | undefined, options: SolveCommandOptions): SolveCommandOptions {
  const { rhs, rhsColumn, points, incompleteRows } = options;
  checkVectors('rhs', { x: rhs, columns: rhsColumn }, 'rhsColumn');
  if (!isTable(rhs) || besidePoints(options)) return options;
  if (incompleteRows === 'skip' && file === undefined)
    throw new UsageError(
      `--incomplete-rows skip does not go with --rhs ${rhs}: the rows of two files would no longer belong together. ` +
        'Put b into a column of the table of points, and name it by --rhs-column.',
    );
  // Of a saved matrix the rows are left out that its table of points was read without.
  const others = { ...options, incompleteRows: file === undefined ? incompleteRows : undefined };
  if (points === undefined && options.network === undefined) for (const name of READING) others[name] = undefined;
  return others;
}

/** What can be found wrong before anything is opened. Throws UsageError, OptionError. */
function checkOptions(file: string | undefined, given: SolveCommandOptions): void {
  checkMatrixOptions(file, checkRightHandSide(file, given));
}

function checkMatrixOptions(file: string | undefined, options: SolveCommandOptions): void {
  const given = <K extends keyof SolveCommandOptions>(names: readonly K[]): K | undefined =>
    names.find((name) => options[name] !== undefined);
  if (file !== undefined) refuseBesides(file, options, INPUT_OPTIONS, COMPRESSING);
  else if (checkInputOptions(options, ', or the file of a matrix that hmatrix compress --out wrote') === 'network') {
    if (options.format !== undefined)
      throw new UsageError('--format solves with a compressed matrix of entries, and does not go with --network.');
  }
  if (options.shift !== undefined && options.shiftRelative !== undefined)
    throw new UsageError('Give --shift or --shift-relative, not both.');
  const misplaced = options.format === undefined ? given(FORMAT_ONLY) : undefined;
  if (misplaced !== undefined)
    throw new UsageError(
      `${flag(misplaced)} goes with --format: it is about the compressed matrix that is solved with.`,
    );
  if (options.keepFailed === true && options.out === undefined) throw new UsageError('--keep-failed goes with --out.');
  const { preconditioner } = options;
  if (options.network === undefined && ['kfac', 'ekfac', 'kronecker-sum', 'dual'].includes(preconditioner))
    throw new UsageError(`--preconditioner ${preconditioner} needs --network.`);
  if (options.rank !== undefined && !['nystrom', 'auto'].includes(preconditioner))
    throw new UsageError('--rank goes with --preconditioner nystrom.');
  const making = options.format === undefined ? given(MAKING) : undefined;
  if (making !== undefined && options.method === 'minres' && ['auto', 'none'].includes(preconditioner))
    throw new UsageError(
      `${flag(making)} is of a preconditioner, and --method minres takes none unless --preconditioner names one.`,
    );
  resolveOptions(compressOptions(options));
}

/** How hierarchical matrices are made: the one solved with, where there is a format, and preconditioners. */
function compressOptions({
  format,
  leafSize,
  maxRank,
  neighbors,
  budget,
  distance,
  dtype,
  seed,
  memoryLimit,
  compressTolerance: tolerance,
}: SolveCommandOptions): CompressOptions {
  const given = { format, leafSize, maxRank, tolerance, neighbors, budget, distance, dtype, seed, memoryLimit };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as CompressOptions;
}

/** What is solved with. */
type OpenSystem = Pick<SolveSetup, 'input' | 'source' | 'model' | 'matrix' | 'factorization' | 'loading'> & {
  /** Columns of the points' own table that are right-hand sides. */
  readonly values?: PointTable | undefined;
};

/** Throws UsageError for what a saved factorization settles, given otherwise. */
function checkFactored(file: string, factorization: Factorization, options: SolveCommandOptions): void {
  const { shift = factorization.shift, shiftRelative, preconditioner, method } = options;
  const settled = MAKING.find((name) => options[name] !== undefined);
  const refused =
    settled !== undefined
      ? flag(settled)
      : shiftRelative !== undefined
        ? '--shift-relative'
        : preconditioner !== 'auto'
          ? `--preconditioner ${preconditioner}`
          : method !== 'cg'
            ? `--method ${method}`
            : undefined;
  if (refused !== undefined)
    throw new UsageError(`${refused} does not go with ${file}: a saved factorization is what is solved with.`);
  if (shift !== factorization.shift)
    throw new UsageError(
      `--shift ${shift} does not go with ${file}, factored with λ = ${factorization.shift}: give the saved matrix, ` +
        'or factor with the other λ.',
    );
  if (factorization.indefinite)
    throw new UsageError(`${file} is an indefinite factorization: load (hmatrix/io) takes it, and solves with it.`);
}

/**
 * A saved matrix, or a factorization. Throws UsageError for what only a preconditioner would take, where none is made.
 */
async function openSavedSystem(file: string, options: SolveCommandOptions, control: TeamControl): Promise<OpenSystem> {
  const began = performance.now();
  const loading = (): number => (performance.now() - began) / 1000;
  const factored = await openFactors(file, control);
  if (factored !== undefined) {
    checkFactored(file, factored.factorization, options);
    return { ...factored, loading: loading() };
  }
  const opened = { ...(await openSaved(file, control)), loading: loading() };
  const { isDirect } = await import('../experiment/direct-solve.js');
  const making = MAKING.find((name) => options[name] !== undefined);
  if (making !== undefined && options.preconditioner === 'auto' && isDirect(opened.matrix)) {
    const { format } = opened.matrix.report;
    throw new UsageError(
      `${flag(making)} is of a preconditioner, and ${file} needs none: of format ${format} it is factored itself.`,
    );
  }
  return opened;
}

/** The matrix: a saved one, entries, or a trained network. */
async function openSystem(
  file: string | undefined,
  options: SolveCommandOptions,
  control: TeamControl,
): Promise<OpenSystem> {
  if (file !== undefined) return openSavedSystem(file, options, control);
  const { seed, network: widths } = options;
  if (widths === undefined) {
    const valueColumns = besidePoints(options) ? options.rhsColumn : undefined;
    const { shift, shiftRelative, method } = options;
    const system = { shift, shiftRelative, indefinite: method === 'minres' };
    const opened = await openInput({ ...options, valueColumns }, seed, control, system);
    checkDistance(options.distance, opened.source);
    return opened;
  }
  return openNetwork(options, widths, seed, control);
}

/** The first columns of a table; all of them as they are. */
function firstColumns(values: PointTable, count: number): PointTable {
  const { dimension, count: rows, coordinates, table } = values;
  if (dimension === count) return values;
  const kept = coordinates.filter((_, p) => p % dimension < count);
  const names = table?.names.slice(0, count);
  return {
    ...values,
    dimension: count,
    coordinates: kept,
    table: table === undefined ? undefined : { ...table, names: names ?? [] },
    count: rows,
  };
}

/**
 * b of the rows that a saved matrix's table of points was read with: those that lack none of the columns of the points,
 * of their values, and of b. Throws UsageError where the matrix is of no such table, or of more rows.
 */
async function besideSaved(
  options: SolveCommandOptions,
  { name: file, source }: SolveSetup['input'],
  size: number,
  control: TeamControl,
): Promise<OpenVectors> {
  const { rhs, rhsColumn = [] } = options;
  const table = source?.table;
  if (table === undefined || source?.name !== basename(rhs))
    throw new UsageError(
      `--incomplete-rows skip: which rows ${file} has is known where it was compressed from the table ` +
        `${basename(rhs)} ` +
        'by this version. Give --points, --columns and --rhs-column of the table instead of the saved matrix, or a ' +
        'table of b without missing values.',
    );
  const { readColumns } = await import('../experiment/split-columns.js');
  const { header = table.header, delimiter = table.delimiter, decimal = table.decimal } = options;
  const { besides = [] } = table;
  const columns = [...rhsColumn, ...table.columns, ...besides.map(({ column }) => column)];
  const how = { header, delimiter, decimal, incompleteRows: 'skip', signal: control.signal } as const;
  const all = await readColumns(rhs, columns, how, 'rhsColumn');
  const b = firstColumns(all, rhsColumn.length);
  if (b.count !== size) {
    const names = all.table!.names.map((one) => `"${one}"`).join(', ');
    throw new UsageError(
      `${file} is of ${size} rows of ${rhs}, and ${b.count} have all of ${names}: compress with --values ` +
        `${rhsColumn.join(',')} --incomplete-rows skip, so that the matrix is of the same rows.`,
    );
  }
  return tableVectors(rhs, b);
}

/** `seen` is called with the right-hand sides once they are there. */
function setupOf(
  options: SolveCommandOptions,
  { values, ...opened }: OpenSystem,
  rates: MachineRates | undefined,
  seen: (b: OpenVectors) => void,
  control: TeamControl,
): SolveSetup {
  const {
    method,
    preconditioner,
    shift,
    shiftRelative,
    tolerance,
    maxIterations,
    rhs,
    vectors,
    seed,
    memoryLimit,
    leafSize,
    maxRank,
    rank,
    compressTolerance,
  } = options;
  const making = { leafSize, maxRank, rank, tolerance: compressTolerance };
  const given = { shift, shiftRelative, tolerance, maxIterations, memoryLimit };
  const present = (values: object): object =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  return {
    ...opened,
    compress: options.format === undefined ? undefined : { ...compressOptions(options), objective: 'solve' },
    rightHandSides: async (size) => {
      const { rhsColumn: columns } = options;
      const b =
        values !== undefined
          ? tableVectors(rhs, firstColumns(values, columns!.length))
          : options.incompleteRows === 'skip' && opened.matrix !== undefined
            ? await besideSaved(options, opened.input, size, control)
            : await openVectors(
                { ...options, x: rhs, columns, columnOption: 'rhsColumn', vectors, seed },
                size,
                control,
              );
      seen(b);
      return b.vectors;
    },
    advice: ADVICE,
    options: { method, preconditioner, rates, seed, making: present(making), ...present(given) },
  };
}

const ADVICE: NonNullable<SolveSetup['advice']> = {
  shift: 'give a larger --shift',
  iterations: 'allow more (--max-iterations), give a larger --shift, or another --preconditioner',
  indefinite: 'give a larger --shift, or --method minres',
  singular: 'give a --shift above 0',
  preconditioner: 'choose another --preconditioner',
  doubleSolution: 'give --rhs in float64',
  doubleProducts: 'give the matrix (--dtype f64), or the weights of the network, in float64',
  compression: 'give a smaller --compress-tolerance, or solve without --format',
};

/** The rates of a file. Throws FileAccessError, UsageError. */
async function readRates(file: string | undefined): Promise<MachineRates | undefined> {
  if (file === undefined) return undefined;
  const given = await readJsonObject(file, 'what doctor --calibrate writes');
  try {
    return requireRates(given as unknown as MachineRates, file);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new UsageError(`--rates ${file}: ${error.message}`);
  }
}

/** Options of the library that messages of a solve may name, and that the command has flags for. */
const FLAGS = ['memoryLimit', 'maxRank', 'leafSize', 'maxIterations', 'shiftRelative'] as const;

/** A message of the library with the command's flags. */
const inFlags = (text: string): string => withFlags(text, FLAGS);

/** Runs the work; errors of the library name flags. `otherwise`: what helps besides a larger shift. */
async function namingFlags<T>(otherwise: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HmatrixError)) throw error;
    if (error instanceof NotPositiveDefiniteError && 'suggestedShift' in error.data) throw tellShift(error, otherwise);
    error.message = inFlags(error.message);
    throw error;
  }
}

/** bᵀx of each column. */
const columnProducts = (b: Matrix, x: Matrix): number[] =>
  Array.from({ length: b.cols }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < b.rows; i++) sum += b.data[b.offset + i + j * b.ld] * x.data[x.offset + i + j * x.ld];
    return sum;
  });

/** The exit status of a run that is done, and on standard error why the tolerance was not met. */
function statusOf({ decision, outcome, reason, residual, tolerance }: SolveRecord): number {
  if (decision === 'met') return EXIT_STATUS.done;
  const found =
    decision === 'missed'
      ? `the asked tolerance was missed (${outcome})`
      : `whether the asked tolerance is met is undecided (${outcome})`;
  sayOnce(`${found}: residual ${residual.toPrecision(4)}, asked ${inDigits(tolerance)}. ${reason}`);
  return EXIT_STATUS.toleranceMissed;
}

/** Whether the solution goes to its file: what missed its tolerance only where that was asked for. */
const writes = ({ keepFailed }: SolveCommandOptions, { decision }: SolveRecord): boolean =>
  decision !== 'missed' || keepFailed === true;

/** Solves, saves the solution, records and reports; resolves to the exit status. Throws UsageError. */
export async function solve(file: string | undefined, given: SolveCommandOptions): Promise<number> {
  const options = withRightHandSide(given);
  checkOptions(file, options);
  requireKind('out', options.out, 'vectors');
  await requireWritable(options.out);
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  const rates = await readRates(options.rates);
  const work = async (control: TeamControl): Promise<SolveRecord> => {
    const { runSolve } = await import('../experiment/solve-run.js');
    let flat = false;
    let rightHandSide = 'seeded';
    let b: Matrix | undefined;
    const otherwise =
      file === undefined
        ? 'give a smaller --compress-tolerance, or another --preconditioner'
        : 'compress to a tighter tolerance';
    const done = await namingFlags(otherwise, async () => {
      const setup = setupOf(
        options,
        await openSystem(file, options, control),
        rates,
        (found) => {
          flat = found.flat;
          rightHandSide = found.name;
          b = found.vectors;
        },
        control,
      );
      return runSolve(setup, control);
    });
    throwIfAborted(control.signal);
    const quadratic = b === undefined || rightHandSide === 'seeded' ? undefined : columnProducts(b, done.x);
    const told: SolveRecord = { ...done.record, rightHandSide, quadratic, reason: inFlags(done.record.reason) };
    if (options.out !== undefined && writes(options, told)) await writeVectors(options.out, 'x', done.x, flat, control);
    return told;
  };
  const record = await runRecorded(options, work, async () => (await import('./solve-report.js')).solveReport);
  if (options.json !== true && options.quiet !== true && options.out !== undefined && writes(options, record))
    print(`X written to ${options.out}`);
  const status = statusOf(record);
  if (options.out !== undefined && !writes(options, record))
    sayOnce(`${options.out} was not written, because the tolerance was missed: --keep-failed writes it all the same.`);
  return status;
}
