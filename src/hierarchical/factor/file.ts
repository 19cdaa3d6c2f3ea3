/**
 * Factorizations in files: the matrix, and the factors' arrays.
 */
import { requireControl, type RunControl } from '../../core/context.js';
import { PRECISIONS, precisionOf, sharedFloats } from '../../core/floats.js';
import { kindOf, requireRole } from '../../core/kind.js';
import type { Precision } from '../../dense/matrix.js';
import { readContainer, readContainerHeader, type JsonObject } from '../../io/container.js';
import { Contents, keptWithin } from '../../io/contents.js';
import { keptAs, writeKept, type FileKind } from '../../operator/file-kind.js';
import type { Team } from '../../parallel/team.js';
import {
  dealtMatrix,
  describedMatrix,
  keepMatrix,
  matrixFile,
  RANKS,
  readMatrix,
  type MatrixFileSummary,
  type WholeMatrix,
} from '../matrix/file.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import { inLargePages } from '../../dense/large-pages.js';
import { logDeterminantOf, type FactorEngine } from './engine.js';
import { Factorization } from './factorization.js';
import { isFactoredAsHodlr, makeEngine } from './make-engine.js';
import { dealFactors } from './rank-file.js';

/** The part of the file that the matrix is. */
const PART = 'matrix';
const CONTENT = 'factorization';

/** What `describeFactorizationFile` tells: all but the numbers themselves. */
export interface FactorizationFileSummary {
  /** N. */
  readonly size: number;
  /** λ. */
  readonly shift: number;
  /** Of the factors and of solves. */
  readonly precision: Precision;
  readonly indefinite: boolean;
  /** log |det(K̃ + λI)|, the natural logarithm. */
  readonly logdet: number;
  /** Bytes of the factors; those of the matrix are in `matrix.memory`. */
  readonly factorBytes: number;
  /** K̃, which the file holds too. */
  readonly matrix: Omit<MatrixFileSummary, 'fileBytes' | 'about'>;
  readonly fileBytes: number;
  /** As of a matrix's file: what `hmatrix factor` tells of the matrix's origin. Absent where nothing was told. */
  readonly about?: JsonObject | undefined;
}

/** Factorizations of `factor` in files. */
export const factorizationFile: FileKind<Factorization> = {
  content: CONTENT,
  holds: (value) => kindOf(value) === 'factorization' && 'indefinite' in (value as Factorization),

  keep(factorization) {
    const { shift, precision, indefinite } = factorization;
    const { matrix, factors, ranks } = factorization.whole();
    const { header, arrays } = keptAs<WholeMatrix>({ ...matrixFile, keep: keepMatrix }, matrix);
    return {
      header: { shift, precision, indefinite, matrix: header },
      arrays: { ...keptWithin(PART, arrays), ...factors },
      ranks,
    };
  },

  restore(contents, team) {
    const { shift, precision, indefinite } = parseHeader(contents);
    const whole = readMatrix(contents.within(PART));
    requireFactorable(contents, whole, indefinite);
    const matrix = dealtMatrix(whole, team);
    const engine = restoredEngine(contents, whole, matrix, { precision, indefinite }, team);
    requireShift(contents, engine.kept['shift'][0], shift);
    return new Factorization(matrix, engine, shift, team);
  },
};

/** The factors of a file, for a matrix that one process has, or of which this rank has its share. Collective. */
function restoredEngine(
  contents: Contents,
  whole: WholeMatrix,
  { data }: HierarchicalMatrix,
  { precision, indefinite }: Pick<FileHeader, 'precision' | 'indefinite'>,
  { communicator }: Team,
): FactorEngine {
  if (data.share === undefined)
    return makeEngine(data, precision, indefinite, (name, length, own) => contents.finite(name, length, own));
  const engine = makeEngine(data, precision, indefinite, (_, length, own) => inLargePages(sharedFloats(length, own)));
  dealFactors(engine, engine.places(whole.data), (name, length) =>
    contents.finite(name, length, precisionOf(engine.kept[name])),
  );
  engine.agree(communicator);
  return engine;
}

/** Writes the factorization to `path` as `writeMatrixFile` writes a matrix, with what its matrix's origin is. */
export async function writeFactorizationFile(
  path: string,
  factorization: Factorization,
  about: JsonObject | undefined,
  control: RunControl,
): Promise<void> {
  const { header, ...rest } = keptAs(factorizationFile, factorization);
  await writeKept(path, { header: about === undefined ? header : { ...header, about }, ...rest }, control);
}

/**
 * What a file of a factorization holds, from its header, the ranks and the log determinants of its nodes alone: cheap
 * for a file of any size. Failure: as `load`.
 */
export async function describeFactorizationFile(
  path: string,
  control: RunControl = {},
): Promise<FactorizationFileSummary> {
  requireRole(path, 'path', 'describeFactorizationFile');
  requireControl(control, 'describeFactorizationFile');
  const summary = await readContainerHeader(path, control);
  const contents = new Contents(path, summary.header, {});
  contents.requireContent(CONTENT);
  const { shift, precision, indefinite, about } = parseHeader(contents);
  const prefix = `${PART}.`;
  const [begin, positions] = [`${prefix}${RANKS}`, `${prefix}tree.begin`];
  const types = { [begin]: 'i32', [positions]: 'i32', logs: 'f64', shift: 'f64' } as const;
  for (const [name, type] of Object.entries(types))
    contents.requireType(name, summary.sections.find((section) => section.name === name)?.type, type);
  const { arrays } = await readContainer(path, { signal: control.signal, sections: Object.keys(types) });
  const read = new Contents(path, summary.header, arrays);
  const matrix = describedMatrix(contents.within(PART), summary, arrays[begin], prefix);
  const own = read.f64('shift', 1);
  requireShift(contents, own[0], shift);
  const [isolated = 0] = read.i32(positions);
  return {
    size: matrix.size,
    shift,
    precision,
    indefinite,
    logdet: logDeterminantOf({ logs: read.f64('logs'), shift: own }, isolated),
    factorBytes: summary.sections.reduce((sum, { name, bytes }) => (name.startsWith(prefix) ? sum : sum + bytes), 0),
    matrix,
    fileBytes: summary.bytes,
    about,
  };
}

type FileHeader = Pick<FactorizationFileSummary, 'shift' | 'precision' | 'indefinite' | 'about'>;

function parseHeader(contents: Contents): FileHeader {
  const { header } = contents;
  const indefinite = header['indefinite'] === true;
  return {
    indefinite,
    shift: contents.number(header['shift'], 'shift', indefinite ? -Infinity : 0),
    precision: contents.oneOf(header['precision'], PRECISIONS, 'precision'),
    about: header['about'] === undefined ? undefined : contents.object(header['about'], 'about'),
  };
}

/** The factors are of the λ that the header tells. */
function requireShift(contents: Contents, own: number, told: number): void {
  if (own !== told) contents.refuse(`its factors are of shift ${own}, its header says ${told}`);
}

function requireFactorable(contents: Contents, { data }: WholeMatrix, indefinite: boolean): void {
  if (indefinite && isFactoredAsHodlr(data)) contents.refuse('an indefinite factorization of a HODLR matrix');
  const { far, near } = data.lists;
  const siblings = far.every((ν, k) => k % 2 === 0 || ((ν & 1) === 0 && far[k - 1] === ν - 1));
  if (!siblings || near.length !== (data.tree.begin.length + 1) / 2)
    contents.refuse(`a factorization of a matrix of format '${data.format}' with blocks besides those of siblings`);
}
