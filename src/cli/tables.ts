/**
 * Tables of a run, made from its record alone.
 */
import Table from 'cli-table3';
import {
  COMPRESSION_PHASES,
  type CompressionRecord,
  type InputDescription,
  type TableReading,
} from '../experiment/record.js';
import { quoted } from '../io/csv-cell.js';
import { columnsTaken, type CsvReading } from '../io/csv-format.js';
import { grouped, inBytes, inDigits, inPercent, inPowers, inSeconds } from '../core/number-text.js';
import { chosenSentences, type ChosenOptions } from '../hierarchical/matrix/chosen-options.js';
import { MEMORY_PARTS, type LevelRanks } from '../hierarchical/matrix/memory.js';
import type { NeighborSearchPlace } from '../tree/neighbors.js';

/** A table with its first column flush left and the others flush right; no colours, so that it may go to a file. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const built = new Table({
    head: [...head],
    colAligns: head.map((_, k) => (k === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) built.push([...row]);
  return built.toString();
}

/** A table in numbers: `things` is what its rows are. */
interface TableFacts {
  readonly name: string;
  readonly count: number;
  readonly dimension: number;
  readonly things: 'points' | 'rows';
}

/** What was read from a table, which columns are the coordinates, and how they were found. */
export function tableLine(
  { name, count, dimension, things }: TableFacts,
  { delimiter, decimal, skippedRows, ...taken }: CsvReading,
): string {
  const commas = decimal === ',' ? ', decimal commas' : '';
  const rows = skippedRows === 1 ? '1 row' : `${grouped(skippedRows)} rows`;
  const skipped = skippedRows > 0 ? `, ${rows} with missing values left out` : '';
  const of = things === 'rows' ? `of ${dimension} number` : `in ${dimension} dimension`;
  const what = `${grouped(count)} ${things} ${of}${dimension === 1 ? '' : 's'}`;
  return `${name}: ${what}: ${columnsTaken(taken)}, cells separated by ${quoted(delimiter)}${commas}${skipped}`;
}

/** What was taken of tables with samples: a line each. */
export const sampleLines = ({ tables = [] }: { readonly tables?: readonly TableReading[] | undefined }): string[] =>
  tables.map(
    ({ table: reading, role, ...facts }) =>
      `${role === undefined ? '' : `${role}: `}${tableLine({ ...facts, things: 'rows' }, reading)}`,
  );

/** One line on what is compressed; of a table a second one on what was taken from it. */
export function inputLine(input: InputDescription): string {
  const size = `N = ${grouped(input.size)}`;
  if (input.kind === 'named') return `test matrix ${input.name}, ${size}`;
  if (input.kind === 'network')
    return [`Gauss–Newton matrix of the network ${input.name}, ${size}`, ...sampleLines(input)].join('\n');
  if (input.kind === 'file') {
    const { compression, source } = input;
    const how = compression === undefined ? '' : `: ${compressionLine(compression)}`;
    const line = `compressed matrix ${input.name}, ${size}${how}`;
    return source === undefined ? line : `${line}\nof the ${inputLine(source)}`;
  }
  if (input.kind === 'matrix') return `matrix ${input.name}, ${size}`;
  const kernel = (input.kernel ?? '').replace(/\d+\.\d{6,}/g, (digits) => Number(digits).toPrecision(6));
  const dimension = input.dimension === undefined || /dimensions$/.test(input.name) ? '' : `, d = ${input.dimension}`;
  const ridge = input.ridge === undefined ? '' : `, ridge ${inDigits(input.ridge)}`;
  const line = `kernel ${kernel} over ${input.name}${dimension}, ${size}${ridge}`;
  if (input.table === undefined) return line;
  const facts = { name: input.name, count: input.size, dimension: input.dimension ?? 0, things: 'points' } as const;
  return `${line}\n${tableLine(facts, input.table)}`;
}

/** What a compressed matrix is, in a few words. */
const compressionLine = ({
  format,
  leafSize,
  maxRank,
  tolerance,
  dtype,
  seed,
}: NonNullable<InputDescription['compression']>): string =>
  `${format}, leaf size ${leafSize}, rank ≤ ${maxRank}, tolerance ${inDigits(tolerance)}, ${dtype}, seed ${seed}`;

/** One line: the options of a compression, its seed and workers. */
export function optionsLine({
  options,
  seed,
  workers,
}: {
  readonly options: Omit<CompressionRecord['options'], 'neighbors' | 'budget' | 'distance'> &
    Partial<Pick<CompressionRecord['options'], 'neighbors' | 'budget' | 'distance'>>;
  readonly seed: number;
  readonly workers: number;
}): string {
  const { format, leafSize, maxRank, tolerance, neighbors, budget = 0, distance, dtype } = options;
  return [
    `${format}, leaf size ${leafSize}, rank ≤ ${maxRank}, tolerance ${inDigits(tolerance)}`,
    neighbors === undefined ? [] : `${neighbors} neighbors`,
    budget > 0 ? `budget ${inPercent(budget)}` : [],
    distance === undefined ? [] : `distance ${distance}`,
    `${dtype}, seed ${seed}, ${workers} worker${workers === 1 ? '' : 's'}`,
  ]
    .flat()
    .join(', ');
}

/** What was chosen where nobody named it, and what is to be said of that. */
const chosenLine = (chosen: ChosenOptions): string =>
  [
    // A tree that was given has its leaves.
    chosen.tried.length > 1
      ? `leaf size and rank limit chosen for ${chosen.objective}: see hmatrix tune`
      : `rank limit chosen by the ranks of a few nodes`,
    ...chosenSentences(chosen),
  ].join('\n');

/** Seconds of each phase, and the rate of products against that of dgemm. */
export function phaseTable({ seconds, gflops, vectors }: CompressionRecord): string {
  const plain = (name: string, value: number): string[] => [name, inSeconds(value), '', ''];
  return table(
    ['phase', 'seconds', 'GFLOP/s', 'of dgemm'],
    [
      ...COMPRESSION_PHASES.flatMap(([phase, name]) =>
        seconds[phase] === undefined ? [] : [plain(name, seconds[phase])],
      ),
      plain('compression in all', seconds.compress),
      [
        `product with ${vectors} vector${vectors === 1 ? '' : 's'}`,
        inSeconds(seconds.apply),
        gflops.apply.toPrecision(3),
        inPercent(gflops.apply / gflops.dgemm),
      ],
    ],
  );
}

/** Ranks of each level. */
export function rankTable(ranks: readonly LevelRanks[]): string {
  return table(
    ['level', 'nodes', 'largest rank', 'mean rank'],
    ranks.map(({ level, nodes, max, mean }) => [String(level), String(nodes), String(max), mean.toFixed(1)]),
  );
}

const parts = Object.entries(MEMORY_PARTS) as [keyof typeof MEMORY_PARTS, string][];

/** Bytes of each part, and their share of the dense matrix; those of its `factors` beneath, where there are any. */
export function memoryTable(
  memory: { readonly bytes: number; readonly share: number } & Readonly<Record<keyof typeof MEMORY_PARTS, number>>,
  factors?: number,
): string {
  const dense = memory.bytes / memory.share;
  const row = (name: string, bytes: number): string[] => [name, inBytes(bytes), inPercent(bytes / dense)];
  return table(
    ['memory', 'bytes', 'of dense'],
    [
      ...parts.filter(([part]) => memory[part] > 0).map(([part, name]) => row(name, memory[part])),
      row('in all', memory.bytes),
      ...(factors === undefined ? [] : [row('factors', factors)]),
    ],
  );
}

/** One line: the measured error, its interval, and whether the tolerance was met. */
export function errorLine({ error }: Pick<CompressionRecord, 'error'>): string {
  const { relative, low, high, exact, columns, tolerance, decision } = error;
  const how = exact
    ? 'all columns compared'
    : `95 % interval ${inPowers(low)} … ${inPowers(high)} from ${columns} columns`;
  const word = decision === 'missed' ? 'MISSED' : decision;
  return (
    `relative error ‖K − K̃‖/‖K‖ (Frobenius) = ${inPowers(relative)} (${how}); ` +
    `asked: ${inDigits(tolerance)}, ${word}`
  );
}

/** Which BLAS, how fast, and how to get a faster one where it is ours. */
export function blasLines(blas: string, dgemm: number, portable: boolean): string[] {
  const lines = [`BLAS: ${blas}, dgemm ${dgemm.toPrecision(3)} GFLOP/s with all workers`];
  if (portable)
    lines.push(
      'No system BLAS is in use. A fast one multiplies the speed: apt-get install libopenblas0-pthread, brew ' +
        'install openblas, or see hmatrix doctor.',
    );
  return lines;
}

/** Why neighbors were searched by the team. */
const WHY_NOT_ON_DEVICE: Readonly<Record<Exclude<NeighborSearchPlace, 'device'>, string>> = {
  distance: 'their distance is not that of points',
  'few-dimensions': 'of points in so few dimensions they are exact',
  'few-points': 'all points were compared with all',
  'low-recall': 'trees on the device found too few',
  memory: 'their lists and the points take more than half of what was free there, or than a buffer may hold',
  'many-points': 'there are more points than the device counts',
};

/** What a device did. */
const deviceLine = (device: string, neighborsOn: NeighborSearchPlace | undefined): string => {
  if (neighborsOn === 'device') return `skeletons and neighbors found on ${device}`;
  const why = neighborsOn === undefined ? '' : `; neighbors by the team: ${WHY_NOT_ON_DEVICE[neighborsOn]}`;
  return `skeletons found on ${device}${why}`;
};

/** Everything about a run, as `hmatrix compress` prints it. */
export function runReport(record: CompressionRecord, portable: boolean): string {
  const { memory } = record;
  return [
    inputLine(record.input),
    optionsLine(record),
    ...(record.chosen === undefined ? [] : [chosenLine(record.chosen)]),
    phaseTable(record),
    ...(record.ranks.length > 0 ? [rankTable(record.ranks)] : []),
    memoryTable({ ...memory.parts, bytes: memory.bytes, share: memory.share }),
    errorLine(record),
    `memory of the process at its peak: ${inBytes(memory.peakBytes)} (${inBytes(memory.wholePeakBytes)} with the ` +
      'measurement of the error)',
    ...(record.device === undefined ? [] : [deviceLine(record.device, record.neighborsOn)]),
    ...blasLines(record.blas, record.gflops.dgemm, portable),
  ].join('\n');
}
