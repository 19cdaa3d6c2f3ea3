/**
 * Factorizations in files: the matrix, and the factors' arrays.
 */
import { requireControl, type RunControl } from '../../core/context.js';
import { OptionError } from '../../core/errors.js';
import { PRECISIONS } from '../../core/floats.js';
import { kindOf, requireRole } from '../../core/kind.js';
import type { Precision } from '../../dense/matrix.js';
import { readContainer, readContainerHeader, writeContainer, type JsonObject } from '../../io/container.js';
import { Contents, keptWithin } from '../../io/contents.js';
import { keptAs, restoreAs, type FileKind } from '../../operator/file-kind.js';
import { describedMatrix, keepMatrix, matrixFile, RANKS, type MatrixFileSummary } from '../matrix/file.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import { requireAlone } from '../ranks/whole.js';
import { logDeterminantOf, type PlaceFactors } from './engine.js';
import { Factorization } from './factorization.js';
import { isFactoredAsHodlr, makeEngine } from './make-engine.js';

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

  keep({ kept, shift, precision, indefinite }) {
    requireAlone(kept.matrix.data, 'A file of a factorization of');
    const { header, arrays } = keptAs({ ...matrixFile, keep: keepMatrix }, kept.matrix);
    return {
      header: { shift, precision, indefinite, matrix: header },
      arrays: { ...keptWithin(PART, arrays), ...kept.factors },
    };
  },

  restore(contents, team) {
    const { shift, precision, indefinite } = parseHeader(contents);
    if (team.communicator.size > 1)
      throw new OptionError('A file of a factorization is read by one process: several ranks factor the matrix anew.');
    const matrix = restoreAs(matrixFile, contents.within(PART), team);
    requireFactorable(contents, matrix, indefinite);
    const place: PlaceFactors = (name, length, own) => contents.finite(name, length, own);
    const engine = makeEngine(matrix.data, precision, indefinite, place);
    requireShift(contents, engine.kept['shift'][0], shift);
    return new Factorization(matrix, engine, shift, team);
  },
};

/** Writes the factorization to `path` as `writeMatrixFile` writes a matrix, with what its matrix's origin is. */
export async function writeFactorizationFile(
  path: string,
  factorization: Factorization,
  about: JsonObject | undefined,
  control: RunControl,
): Promise<void> {
  const { header, arrays } = keptAs(factorizationFile, factorization);
  await writeContainer(path, about === undefined ? header : { ...header, about }, arrays, control);
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

function requireFactorable(contents: Contents, { data }: HierarchicalMatrix, indefinite: boolean): void {
  if (indefinite && isFactoredAsHodlr(data)) contents.refuse('an indefinite factorization of a HODLR matrix');
  const { far, near } = data.lists;
  const siblings = far.every((ν, k) => k % 2 === 0 || ((ν & 1) === 0 && far[k - 1] === ν - 1));
  if (!siblings || near.length !== (data.tree.begin.length + 1) / 2)
    contents.refuse(`a factorization of a matrix of format '${data.format}' with blocks besides those of siblings`);
}
