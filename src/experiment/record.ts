/**
 * The record of a run: one JSON object with what went in, what came out, and what it was measured on.
 * Reports, tables and benchmarks are made from records alone. A record holds no names of hosts, users or folders.
 */
import { NODE_VERSION } from '../core/environment.js';
import type { RunControl } from '../core/context.js';
import { version } from '../core/version.js';
import type { BlockStructure } from '../hierarchical/matrix/block-structure.js';
import type { ChosenOptions } from '../hierarchical/matrix/chosen-options.js';
import type { Decision, ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import type { CommonReport, EntriesReport } from '../hierarchical/matrix/report.js';
import type { MemoryUse, LevelRanks } from '../hierarchical/matrix/memory.js';
import { writeAtomically } from '../io/atomic-write.js';
import type { CsvReading } from '../io/csv-format.js';
import { describeMachine, type MachineDescription } from '../io/machine.js';
import type { PhaseSpans } from './worker-times.js';

/**
 * What was compressed, for people and for grouping: a kind ('points', 'matrix', 'named', 'network', or 'file', a matrix
 * compressed before) and what belongs to it.
 */
export interface InputDescription {
  readonly kind: string;
  /** A generator ("normal, 6 dimensions"), a test matrix ("K02"), or a file's own name without its folder. */
  readonly name: string;
  readonly size: number;
  readonly dimension?: number | undefined;
  /** Where points come from a table: the columns that were taken, and how the file was read. */
  readonly table?: CsvReading | undefined;
  readonly kernel?: string | undefined;
  readonly bandwidth?: number | undefined;
  /** Added to the diagonal of a kernel matrix; absent where nothing was. */
  readonly ridge?: number | undefined;
  /** Of a network: the tables that its data was read from. */
  readonly tables?: readonly TableReading[] | undefined;
  /** Of a matrix compressed before: from what, where its file tells it, and how. */
  readonly source?: InputDescription | undefined;
  readonly compression?: Pick<CommonReport, 'format' | 'leafSize' | 'maxRank' | 'tolerance' | 'dtype' | 'seed'>;
}

/** What was taken of a table with samples. */
export interface TableReading {
  /** The file's own name, without its folder. */
  readonly name: string;
  /** Rows, and numbers in each. */
  readonly count: number;
  readonly dimension: number;
  readonly table: CsvReading;
  /** Where it holds the targets, and not the inputs. */
  readonly role?: 'targets' | undefined;
}

/** The versions that a record was made with. */
export interface Versions {
  readonly hmatrix: string;
  readonly node: string;
}

/** A compression with products and a measured error. Seconds of wall time, GFLOP/s, bytes. */
export interface CompressionRecord {
  readonly record: 'compression';
  readonly date: string;
  readonly input: InputDescription;
  /** As resolved: what was not given is at its default. */
  readonly options: Pick<
    EntriesReport,
    'format' | 'leafSize' | 'maxRank' | 'tolerance' | 'neighbors' | 'budget' | 'distance' | 'dtype' | 'preserve'
  >;
  /** Where leaf size or rank limit were left open: what was compared, and chosen. */
  readonly chosen?: ChosenOptions | undefined;
  readonly seed: number;
  readonly workers: number;
  readonly vectors: number;
  /**
   * `apply`: the median of `products` products with all vectors, after one that is not counted; `fill`: evaluating the
   * stored blocks; `compress`: all of it.
   */
  readonly seconds: {
    readonly neighbors: number;
    readonly tree: number;
    readonly choose?: number | undefined;
    readonly skeletonization: number;
    readonly fill: number;
    readonly compress: number;
    readonly apply: number;
    readonly error: number;
  };
  readonly products: number;
  readonly gflops: { readonly apply: number; readonly dgemm: number };
  /** `decision` says what the interval tells of the tolerance; `met`: it is 'met'. */
  readonly error: ErrorEstimate & { readonly tolerance: number; readonly met: boolean; readonly decision: Decision };
  /**
   * `share`: of the dense matrix in the same precision; `peakBytes`: the process's largest resident set until the
   * products were done, start-up included; `wholePeakBytes`: the same at the end, with what measuring dgemm and the
   * error took.
   */
  readonly memory: {
    readonly bytes: number;
    readonly share: number;
    readonly peakBytes: number;
    readonly wholePeakBytes: number;
    readonly parts: Omit<MemoryUse, 'bytes' | 'share'>;
  };
  /** When each worker was busy in which phase of the compression. */
  readonly timeline?: readonly PhaseSpans[] | undefined;
  readonly ranks: readonly LevelRanks[];
  /** The blocks with their ranks and errors, where the run was to keep them. */
  readonly blocks?: BlockStructure | undefined;
  readonly neighborRecall: number;
  readonly budgetUsed: number;
  /** Nodes whose rows were sampled again, and nodes that still missed their share of the tolerance. */
  readonly nodes: { readonly resampled: number; readonly missed: number };
  /** What kept the compression from its tolerance, as its own report says. */
  readonly limits: EntriesReport['limits'];
  /** Where skeletons were found, where a device was named. */
  readonly device?: string | undefined;
  /** Whether neighbors were searched there, too, or why not; of a card. */
  readonly neighborsOn?: EntriesReport['neighborsOn'];
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}

/** The phases of a compression, one after the other, and what they are called. */
export const COMPRESSION_PHASES = [
  ['neighbors', 'neighbors'],
  ['tree', 'cluster tree, lists'],
  ['choose', 'choice of leaf size and ranks'],
  ['skeletonization', 'skeletonization'],
  ['fill', 'evaluating blocks'],
] as const satisfies readonly (readonly [keyof CompressionRecord['seconds'], string])[];

/** What every record says of program and machine. */
export function circumstances(): { date: string; machine: MachineDescription; versions: Versions } {
  return {
    date: new Date().toISOString(),
    machine: describeMachine(),
    versions: { hmatrix: version, node: NODE_VERSION },
  };
}

/** Lists of nothing but numbers: they take one line each. */
const NUMBERS = /\[(?:\s*(?:-?\d[\d.e+-]*|null),?)+\s*\]/g;

/** Writes a record as JSON, whole or not at all. Throws FileAccessError, AbortedError. */
export async function writeRecord(path: string, record: object, control: RunControl = {}): Promise<void> {
  const json = JSON.stringify(record, null, 2).replace(NUMBERS, (list) => list.replace(/\s+/g, ' '));
  const text = new TextEncoder().encode(`${json}\n`);
  await writeAtomically(path, control, (file) => file.append(text));
}
