/**
 * A hierarchical matrix in a file: its flat arrays as they are, and a header with its report.
 * The arrays are the sections of a container (io/container.ts), which guards them by checksums; reading checks that
 * they fit together.
 */
import { OptionError, FileFormatError } from '../../core/errors.js';
import { requireControl, type RunControl } from '../../core/context.js';
import { describe, kindOf, requireRole } from '../../core/kind.js';
import {
  readContainer,
  readContainerHeader,
  writeContainer,
  type ContainerArray,
  type JsonObject,
  type JsonValue,
} from '../../io/container.js';
import { availableMemory } from '../../io/machine.js';
import { checkHierarchicalData } from './check-data.js';
import type { HierarchicalData } from './data.js';
import type { Layout } from './layout.js';
import { HierarchicalMatrix } from './hierarchical-matrix.js';
import type { CompressionReport } from './report.js';
import { PRECISIONS } from '../../core/floats.js';
import { requireMemory } from '../../core/memory.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import { ranksByLevel, type LevelRanks } from './memory.js';
import { FORMATS } from './format.js';

const CONTENT = 'hierarchical matrix';

/** The sections of a file and the type of each. */
const SECTIONS = {
  'tree.order': 'i32',
  'tree.begin': 'i32',
  'tree.end': 'i32',
  'lists.nearBegin': 'i32',
  'lists.near': 'i32',
  'lists.far': 'i32',
  'skeletons.begin': 'i32',
  'skeletons.indices': 'i32',
  'skeletons.gather': 'i32',
  'skeletons.picked': 'i32',
  'offsets.basis': 'f64',
  'offsets.coupling': 'f64',
  'offsets.near': 'f64',
  'offsets.diagonal': 'f64',
  values: undefined,
} as const;

/** What the header says of the matrix. */
interface FileHeader {
  readonly format: HierarchicalData['format'];
  readonly dtype: HierarchicalData['dtype'];
  readonly size: number;
  readonly depth: number;
  readonly budgetUsed: number;
  readonly elements: Layout['elements'];
  readonly report: CompressionReport;
  /**
   * What whoever wrote the file tells of the matrix's origin, in JSON: `hmatrix compress` keeps its input and the
   * measured error (experiment/origin.ts). Absent where nothing was told.
   */
  readonly about?: JsonObject | undefined;
}

/** What `describeMatrixFile` tells: all but the numbers themselves. */
export interface MatrixFileSummary extends FileHeader {
  readonly ranks: readonly LevelRanks[];
  /** Bytes of each kind of block, of everything else, and of the file. */
  readonly memory: {
    readonly basis: number;
    readonly coupling: number;
    readonly near: number;
    readonly diagonal: number;
    readonly structure: number;
    readonly bytes: number;
    readonly share: number;
  };
  readonly fileBytes: number;
}

/**
 * Writes the matrix to `path`, whole or not at all. Size ≈ `memory().bytes`. Progress counts bytes (phase 'write').
 * Throws FileAccessError or AbortedError; then `path` is as it was.
 */
export async function saveMatrix(path: string, matrix: HierarchicalMatrix, control: RunControl = {}): Promise<void> {
  requireRole(path, 'path', 'saveMatrix');
  if (kindOf(matrix) === 'factorization')
    throw new OptionError(
      `saveMatrix takes a hierarchical matrix, not ${describe(matrix)}: matrices are saved, factorizations are not. ` +
        'Save the matrix that was factored, and factor it again when it is loaded.',
      {},
    );
  requireRole(matrix, 'hierarchical matrix', 'saveMatrix');
  requireControl(control, 'saveMatrix');
  await writeMatrixFile(path, matrix, undefined, control);
}

/** `saveMatrix` for callers inside, with what they tell of the matrix's origin. */
export async function writeMatrixFile(
  path: string,
  matrix: HierarchicalMatrix,
  about: JsonObject | undefined,
  control: RunControl,
): Promise<void> {
  const { data, elements, report } = matrix;
  const { format, dtype, tree, lists, skeletons, offsets, values } = data;
  const header: FileHeader & { content: string } = {
    content: CONTENT,
    format,
    dtype,
    size: tree.size,
    depth: tree.depth,
    budgetUsed: lists.budgetUsed,
    elements,
    report,
    ...(about === undefined ? {} : { about }),
  };
  const arrays: Record<keyof typeof SECTIONS, ContainerArray> = {
    'tree.order': tree.order,
    'tree.begin': tree.begin,
    'tree.end': tree.end,
    'lists.nearBegin': lists.nearBegin,
    'lists.near': lists.near,
    'lists.far': lists.far,
    'skeletons.begin': skeletons.begin,
    'skeletons.indices': skeletons.indices,
    'skeletons.gather': skeletons.gather,
    'skeletons.picked': skeletons.picked,
    'offsets.basis': offsets.basis,
    'offsets.coupling': offsets.coupling,
    'offsets.near': offsets.near,
    'offsets.diagonal': offsets.diagonal,
    values,
  };
  await writeContainer(path, header as unknown as JsonObject, arrays, control);
}

/**
 * Reads a matrix that `saveMatrix` wrote, for the team to multiply with: the products have the same bits as the saved
 * matrix's (on the same dense backend). Everything is checked before it is used: that the file is whole, and that its
 * arrays make a hierarchical matrix. Throws FileFormatError naming what is wrong, FileAccessError, MemoryError (before
 * reading, where it would not fit), AbortedError.
 */
export async function loadMatrix(path: string, given: Control = {}): Promise<HierarchicalMatrix> {
  requireRole(path, 'path', 'loadMatrix');
  const control = await onTeam(given, 'loadMatrix');
  const summary = await readContainerHeader(path, control);
  const header = parseHeader(summary.header, path);
  requireSections(summary.sections, header.dtype, path);
  requireMemory(summary.bytes, availableMemory(), {
    what: `${path} needs`,
    advice: 'free some, or compress to a smaller matrix.',
    data: { path },
  });
  const { arrays } = await readContainer(path, {
    signal: control.signal,
    onProgress: control.onProgress,
    sections: Object.keys(SECTIONS),
  });
  const i32 = (name: keyof typeof SECTIONS): Int32Array => arrays[name] as Int32Array;
  const f64 = (name: keyof typeof SECTIONS): Float64Array => arrays[name] as Float64Array;
  const data: HierarchicalData = {
    format: header.format,
    dtype: header.dtype,
    tree: {
      size: header.size,
      depth: header.depth,
      order: i32('tree.order'),
      begin: i32('tree.begin'),
      end: i32('tree.end'),
    },
    lists: {
      nearBegin: i32('lists.nearBegin'),
      near: i32('lists.near'),
      far: i32('lists.far'),
      budgetUsed: header.budgetUsed,
    },
    skeletons: {
      begin: i32('skeletons.begin'),
      indices: i32('skeletons.indices'),
      gather: i32('skeletons.gather'),
      picked: i32('skeletons.picked'),
    },
    offsets: {
      basis: f64('offsets.basis'),
      coupling: f64('offsets.coupling'),
      near: f64('offsets.near'),
      diagonal: f64('offsets.diagonal'),
    },
    values: arrays['values'] as HierarchicalData['values'],
  };
  checkHierarchicalData(data, header.elements, (what) => {
    throw inconsistent(path, what);
  });
  return new HierarchicalMatrix(data, header.elements, header.report, control.team);
}

/** What a file holds, from its header and the ranks alone: cheap for a file of any size. Failure: as loadMatrix. */
export async function describeMatrixFile(path: string, control: RunControl = {}): Promise<MatrixFileSummary> {
  requireRole(path, 'path', 'describeMatrixFile');
  requireControl(control, 'describeMatrixFile');
  const summary = await readContainerHeader(path, control);
  const header = parseHeader(summary.header, path);
  requireSections(summary.sections, header.dtype, path);
  const { arrays } = await readContainer(path, { signal: control.signal, sections: ['skeletons.begin'] });
  const width = header.dtype === 'f64' ? 8 : 4;
  const structure = summary.sections
    .filter(({ name }) => name !== 'values' && name in SECTIONS)
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const { basis, coupling, near, diagonal, total } = header.elements;
  const bytes = width * total + structure;
  return {
    ...header,
    ranks: ranksByLevel(arrays['skeletons.begin'] as Int32Array),
    fileBytes: summary.bytes,
    memory: {
      basis: width * basis,
      coupling: width * coupling,
      near: width * near,
      diagonal: width * diagonal,
      structure,
      bytes,
      share: bytes / (width * header.size * header.size),
    },
  };
}

const inconsistent = (path: string, what: string): FileFormatError =>
  new FileFormatError(`${path}: ${what}. The file does not hold a consistent hierarchical matrix: write it anew.`, {
    path,
    what,
  });

function parseHeader(header: JsonObject, path: string): FileHeader {
  const refuse = (what: string): never => {
    throw inconsistent(path, what);
  };
  if (header['content'] !== CONTENT)
    throw new FileFormatError(
      `${path}: a container of ${JSON.stringify(header['content'] ?? 'something else')}, not of a ${CONTENT}. ` +
        `Give a file written by saveMatrix or 'hmatrix compress --out'.`,
      { path },
    );
  const count = (value: JsonValue | undefined, name: string): number =>
    Number.isSafeInteger(value) && (value as number) >= 0
      ? (value as number)
      : refuse(`the header's ${name} is ${JSON.stringify(value)}, not a count`);
  const object = (value: JsonValue | undefined, name: string): JsonObject =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : refuse(`the header's ${name} is missing`);
  const format = header['format'] as FileHeader['format'];
  const dtype = header['dtype'] as FileHeader['dtype'];
  if (!FORMATS.includes(format))
    refuse(`the header's format is ${JSON.stringify(format)}; there are ${FORMATS.join(', ')}`);
  if (!PRECISIONS.includes(dtype))
    refuse(`the header's dtype is ${JSON.stringify(dtype)}; there are ${PRECISIONS.join(', ')}`);
  const elements = object(header['elements'], 'elements');
  const report = object(header['report'], 'report');
  for (const [name, here] of [
    ['size', header['size']],
    ['format', format],
    ['dtype', dtype],
  ] as const) {
    if (report[name] !== here)
      refuse(
        `the report is of another matrix: its ${name} is ${JSON.stringify(report[name])}, the matrix's ` +
          `${JSON.stringify(here)}`,
      );
  }
  const budgetUsed = header['budgetUsed'];
  if (typeof budgetUsed !== 'number' || budgetUsed < 0)
    refuse(`the header's budgetUsed is ${JSON.stringify(budgetUsed)}`);
  object(report['seconds'], 'report.seconds');
  const { met, seen, limits } = report;
  if (met !== undefined && typeof met !== 'boolean')
    refuse(`the report's met is ${JSON.stringify(met)}, not true or false`);
  if (
    met !== undefined &&
    (!Array.isArray(limits) || limits.some((limit) => typeof (limit as JsonObject | null)?.['limit'] !== 'string'))
  )
    refuse("the report's limits are no list of limits");
  return {
    ...(header['about'] === undefined ? {} : { about: object(header['about'], 'about') }),
    format,
    dtype,
    size: count(header['size'], 'size'),
    depth: count(header['depth'], 'depth'),
    budgetUsed: budgetUsed as number,
    elements: {
      total: count(elements['total'], 'elements.total'),
      basis: count(elements['basis'], 'elements.basis'),
      coupling: count(elements['coupling'], 'elements.coupling'),
      near: count(elements['near'], 'elements.near'),
      diagonal: count(elements['diagonal'], 'elements.diagonal'),
    },
    // Files written before the report said whether the tolerance was met do not know it.
    report: {
      ...withOrigin(report),
      ...(met === undefined ? { met: undefined, limits: [] } : {}),
      seen: typeof seen === 'number' ? seen : Number.NaN,
    },
  };
}

/** Files written before reports said where a matrix came from filled in what it had not: numbers of no meaning. */
function withOrigin(report: JsonObject): CompressionReport {
  if (report['origin'] !== undefined) return report as unknown as CompressionReport;
  const origin =
    report['products'] !== undefined ? 'products' : report['distance'] === 'kronecker' ? 'eigenbasis' : 'entries';
  if (origin === 'entries') return { ...report, origin } as unknown as CompressionReport;
  const filled = ['neighbors', 'budget', 'distance', 'recall', 'resampled', 'missed'];
  const kept = Object.fromEntries(Object.entries(report).filter(([key]) => !filled.includes(key)));
  return { ...kept, origin } as unknown as CompressionReport;
}

function requireSections(
  sections: readonly { readonly name: string; readonly type: string }[],
  dtype: string,
  path: string,
): void {
  for (const [name, type] of Object.entries(SECTIONS)) {
    const section = sections.find((candidate) => candidate.name === name);
    if (section === undefined) throw inconsistent(path, `section "${name}" is missing`);
    if (section.type !== (type ?? dtype))
      throw inconsistent(path, `section "${name}" holds ${section.type} where ${type ?? dtype} belongs`);
  }
}
