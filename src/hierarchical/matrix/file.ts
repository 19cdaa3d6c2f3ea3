/**
 * A hierarchical matrix in a file: its flat arrays as they are, and a header with its report.
 * The arrays are the sections of a container (io/container.ts), which guards them by checksums; reading checks that
 * they fit together.
 */
import { requireControl, type RunControl } from '../../core/context.js';
import { NUMBER_BYTES, PRECISIONS } from '../../core/floats.js';
import { kindOf, requireRole } from '../../core/kind.js';
import {
  readContainer,
  readContainerHeader,
  type ContainerArray,
  type ContainerSummary,
  type JsonObject,
} from '../../io/container.js';
import { Contents, keptReport, readContents, type Kept } from '../../io/contents.js';
import { keptAs, restoreAs, writeKept, type FileKind } from '../../operator/file-kind.js';
import type { Team } from '../../parallel/team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { dealMatrix } from '../ranks/deal.js';
import { checkHierarchicalData } from './check-data.js';
import type { HierarchicalData } from './data.js';
import { FORMATS } from './format.js';
import { HierarchicalMatrix } from './hierarchical-matrix.js';
import type { Layout } from './layout.js';
import { ranksByLevel, ranksOf, type LevelRanks } from './memory.js';
import type { CompressionReport } from './report.js';

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

/** The section that ranks are told by. */
export const RANKS = 'skeletons.begin' satisfies keyof typeof SECTIONS;

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

/** What a file has of a matrix. */
export type WholeMatrix = Pick<HierarchicalMatrix, 'data' | 'elements' | 'report'>;

/** What a file keeps of a matrix, released or not: a factorization goes on without it. */
export function keepMatrix({ data, elements, report }: WholeMatrix): Kept {
  const { format, dtype, tree, lists, skeletons, offsets, values } = data;
  const header: FileHeader = {
    format,
    dtype,
    size: tree.size,
    depth: tree.depth,
    budgetUsed: lists.budgetUsed,
    elements,
    report,
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
  return { header: { ...header, report: keptReport(report) } as unknown as JsonObject, arrays };
}

/** Hierarchical matrices of every format in files. */
export const matrixFile: FileKind<HierarchicalMatrix> = {
  content: CONTENT,
  holds: (value) => kindOf(value) === 'hierarchical matrix',

  keep(matrix) {
    matrix.requireUsable();
    const { ranks, ...whole } = matrix.whole();
    return { ...keepMatrix(whole), ranks };
  },

  restore: (contents, team) => dealtMatrix(readMatrix(contents), team),
};

/** What a file has of a matrix: all of it, on every rank. Throws FileFormatError. */
export function readMatrix(contents: Contents): WholeMatrix {
  contents.requireContent(CONTENT);
  const { format, dtype, size, depth, budgetUsed, elements, report } = parseHeader(contents);
  const data: HierarchicalData = {
    format,
    dtype,
    tree: {
      size,
      depth,
      order: contents.i32('tree.order'),
      begin: contents.i32('tree.begin'),
      end: contents.i32('tree.end'),
    },
    lists: {
      nearBegin: contents.i32('lists.nearBegin'),
      near: contents.i32('lists.near'),
      far: contents.i32('lists.far'),
      budgetUsed,
    },
    skeletons: {
      begin: contents.i32('skeletons.begin'),
      indices: contents.i32('skeletons.indices'),
      gather: contents.i32('skeletons.gather'),
      picked: contents.i32('skeletons.picked'),
    },
    offsets: {
      basis: contents.f64('offsets.basis'),
      coupling: contents.f64('offsets.coupling'),
      near: contents.f64('offsets.near'),
      diagonal: contents.f64('offsets.diagonal'),
    },
    values: contents.floats('values', undefined, dtype),
  };
  checkHierarchicalData(data, elements, (what) => contents.refuse(what));
  return { data, elements, report };
}

/** The team's matrix: of several ranks, what this one is to have of it. Collective. */
export function dealtMatrix({ data, elements, report }: WholeMatrix, team: Team): HierarchicalMatrix {
  const dealt = dealMatrix(data, elements, team);
  return new HierarchicalMatrix(dealt.data, dealt.elements, report, team);
}

/**
 * Writes the matrix to `path`, whole or not at all, with what the caller tells of its origin. Throws FileAccessError or
 * AbortedError; then `path` is as it was.
 */
export async function writeMatrixFile(
  path: string,
  matrix: HierarchicalMatrix,
  about: JsonObject,
  control: RunControl,
): Promise<void> {
  const { header, ...rest } = keptAs(matrixFile, matrix);
  await writeKept(path, { header: { ...header, about }, ...rest }, control);
}

/** The hierarchical matrix in a file, for the command. Throws as `load` does. */
export async function loadMatrix(path: string, control: TeamControl): Promise<HierarchicalMatrix> {
  return restoreAs(matrixFile, await readContents(path, control), control.team);
}

/** What a file holds, from its header and the ranks alone: cheap for a file of any size. Failure: as `load`. */
export async function describeMatrixFile(path: string, control: RunControl = {}): Promise<MatrixFileSummary> {
  requireRole(path, 'path', 'describeMatrixFile');
  requireControl(control, 'describeMatrixFile');
  const summary = await readContainerHeader(path, control);
  const contents = new Contents(path, summary.header, {});
  contents.requireContent(CONTENT);
  const { arrays } = await readContainer(path, { signal: control.signal, sections: [RANKS] });
  return { ...describedMatrix(contents, summary, arrays[RANKS]), fileBytes: summary.bytes };
}

/**
 * What a matrix is: `contents` has its header, `begin` is its section {@link RANKS}, and the names of all its sections
 * begin with `prefix`. Throws FileFormatError where one is missing or of another type.
 */
export function describedMatrix(
  contents: Contents,
  { sections }: Pick<ContainerSummary, 'sections'>,
  begin: ContainerArray,
  prefix = '',
): Omit<MatrixFileSummary, 'fileBytes'> {
  const header = parseHeader(contents);
  let structure = 0;
  for (const [name, type] of Object.entries(SECTIONS)) {
    const section = sections.find((candidate) => candidate.name === prefix + name);
    contents.requireType(prefix + name, section?.type, type ?? header.dtype);
    if (name !== 'values') structure += section!.bytes;
  }
  const width = NUMBER_BYTES[header.dtype];
  const { basis, coupling, near, diagonal, total } = header.elements;
  const bytes = width * total + structure;
  return {
    ...header,
    ranks: ranksByLevel(ranksOf({ begin: begin as Int32Array })),
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

function parseHeader(contents: Contents): FileHeader {
  const { header } = contents;
  const format = contents.oneOf(header['format'], FORMATS, 'format');
  const dtype = contents.oneOf(header['dtype'], PRECISIONS, 'dtype');
  const size = contents.count(header['size'], 'size');
  const elements = contents.object(header['elements'], 'elements');
  const report = contents.report({ size, format, dtype });
  const { met, seen, limits } = report;
  if (met !== undefined && typeof met !== 'boolean')
    contents.refuse(`the report's met is ${JSON.stringify(met)}, not true or false`);
  if (
    met !== undefined &&
    (!Array.isArray(limits) || limits.some((limit) => typeof (limit as JsonObject | null)?.['limit'] !== 'string'))
  )
    contents.refuse("the report's limits are no list of limits");
  const counted = (name: keyof FileHeader['elements']): number => contents.count(elements[name], `elements.${name}`);
  return {
    ...(header['about'] === undefined ? {} : { about: contents.object(header['about'], 'about') }),
    format,
    dtype,
    size,
    depth: contents.count(header['depth'], 'depth'),
    budgetUsed: contents.number(header['budgetUsed'], 'budgetUsed', 0),
    elements: {
      total: counted('total'),
      basis: counted('basis'),
      coupling: counted('coupling'),
      near: counted('near'),
      diagonal: counted('diagonal'),
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
