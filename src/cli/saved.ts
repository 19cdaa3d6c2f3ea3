/**
 * Matrices that `hmatrix compress --out` wrote, as what a command works with.
 */
import { basename } from 'node:path';
import { FileFormatError, NotPositiveDefiniteError } from '../core/errors.js';
import type { RunControl } from '../core/context.js';
import type { InputDescription } from '../experiment/record.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import { splitArrayPath } from '../io/array-path.js';
import type { JsonObject } from '../io/container.js';
import type { TeamControl } from '../parallel/team-control.js';
import { inDigits, roundedUp } from '../core/number-text.js';
import { asFlag, UsageError } from './usage.js';

/** A saved matrix, and how the record describes it. */
export interface OpenSaved {
  readonly matrix: HierarchicalMatrix;
  readonly input: InputDescription;
  /** What the file tells of the matrix's origin (experiment/origin.ts reads it). */
  readonly about: JsonObject | undefined;
}

/** Throws UsageError for a file whose name says that it is no saved matrix. */
export function requireSaved(file: string): void {
  const { file: whole, name } = splitArrayPath(file);
  if (name === undefined && !/\.(csv|tsv|npy|mtx|safetensors|h5|hdf5|json|gz)$/i.test(whole)) return;
  throw new UsageError(
    `${file} is no matrix that hmatrix compress --out wrote. Points go with --points, a stored matrix with --matrix: ` +
      'compress, solve, eigs, factor and logdet take them.',
  );
}

/** What a record says of the file's matrix. */
function inputOf(file: string, matrix: HierarchicalMatrix, source?: InputDescription): InputDescription {
  const { size, leafSize, maxRank, tolerance, seed } = matrix.report;
  const { format, dtype } = matrix.data;
  const compression = { format, leafSize, maxRank, tolerance, dtype, seed };
  return { kind: 'file', name: basename(file), size, source, compression };
}

/** Whether a file says that it holds a factorization. Throws as `load` does. */
export async function holdsFactors(file: string, { signal }: RunControl): Promise<boolean> {
  const { readContainerHeader } = await import('../io/container.js');
  return (await readContainerHeader(file, { signal })).header['content'] === 'factorization';
}

/** Loads a saved matrix. Throws as `load` does, and FileFormatError for a factorization, saying what takes it. */
export async function openSaved(file: string, control: TeamControl): Promise<OpenSaved> {
  const { describeMatrixFile, loadMatrix } = await import('../hierarchical/matrix/file.js');
  const { readOrigin } = await import('../experiment/origin.js');
  if (await holdsFactors(file, control))
    throw new FileFormatError(
      `${file} holds a factorization, and a matrix is taken here: give the file that hmatrix compress --out wrote. ` +
        'hmatrix solve solves with a factorization, info tells its log determinant, plot draws it.',
      { path: file },
    );
  const { about } = await describeMatrixFile(file, { signal: control.signal });
  const matrix = await loadMatrix(file, control);
  return { matrix, about, input: inputOf(file, matrix, readOrigin(about)?.input) };
}

/**
 * Loads a saved factorization with its matrix; undefined where the file holds something else. Throws as `load` does.
 */
export async function openFactors(
  file: string,
  control: TeamControl,
): Promise<(OpenSaved & { readonly factorization: Factorization }) | undefined> {
  if (!(await holdsFactors(file, control))) return undefined;
  const { load } = await import('../files/load.js');
  const { describeFactorizationFile } = await import('../hierarchical/factor/file.js');
  const { readOrigin } = await import('../experiment/origin.js');
  const { about } = await describeFactorizationFile(file, { signal: control.signal });
  const factorization = await load(file, { kind: 'factorization', ...control });
  const { matrix } = factorization.kept;
  return { factorization, matrix, about, input: inputOf(file, matrix, readOrigin(about)?.input) };
}

/** Throws UsageError for options of `sources` or `compressing` that are given besides a saved matrix. */
export function refuseBesides<T extends object>(
  file: string,
  options: T,
  sources: readonly (keyof T & string)[],
  compressing: readonly (keyof T & string)[],
): void {
  requireSaved(file);
  const given = (names: readonly (keyof T & string)[]): string | undefined =>
    names.find((name) => options[name] !== undefined);
  const source = given(sources);
  if (source !== undefined)
    throw new UsageError(
      `${asFlag(source)} does not go with ${file}: a saved matrix has no other source` +
        `${source === 'ridge' ? '. --shift adds to its diagonal' : ''}.`,
    );
  const how = given(compressing);
  if (how !== undefined)
    throw new UsageError(`${asFlag(how)} does not go with ${file}: a saved matrix is compressed already.`);
}

/** The error of a factorization with the command's flags; `otherwise`: what helps besides a larger shift. */
export function tellShift({ data }: NotPositiveDefiniteError, otherwise: string): NotPositiveDefiniteError {
  const { suggestedShift, shift, node } = data;
  const works =
    typeof suggestedShift === 'number' ? `--shift ${roundedUp(suggestedShift)} works` : 'give a larger --shift';
  return new NotPositiveDefiniteError(
    `The compressed matrix plus λ = ${inDigits(Number(shift))} is not positive definite (elimination broke down at ` +
      `node ${String(node)}): ${works}; or ${otherwise}.`,
    data,
  );
}
