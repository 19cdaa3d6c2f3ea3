/**
 * Matrices that `hmatrix compress --out` wrote, as what a command works with.
 */
import { basename } from 'node:path';
import { NotPositiveDefiniteError } from '../core/errors.js';
import type { InputDescription } from '../experiment/record.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { TeamControl } from '../parallel/team-control.js';
import { inDigits, roundedUp } from '../core/number-text.js';
import { asFlag, UsageError } from './usage.js';

/** A saved matrix, and how the record describes it. */
export interface OpenSaved {
  readonly matrix: HierarchicalMatrix;
  readonly input: InputDescription;
}

/** Throws UsageError for a file whose name says that it is no saved matrix. */
export function requireSaved(file: string): void {
  if (!/\.(csv|tsv|npy|json|gz)$/i.test(file)) return;
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

/** Loads a saved matrix. Throws as `load` does. */
export async function openSaved(file: string, control: TeamControl): Promise<OpenSaved> {
  const { describeMatrixFile, loadMatrix } = await import('../hierarchical/matrix/file.js');
  const { readOrigin } = await import('../experiment/origin.js');
  const { about } = await describeMatrixFile(file, { signal: control.signal });
  const matrix = await loadMatrix(file, control);
  return { matrix, input: inputOf(file, matrix, readOrigin(about)?.input) };
}

/**
 * Loads a saved factorization with its matrix; undefined where the file holds something else. Throws as `load` does.
 */
export async function openFactors(
  file: string,
  control: TeamControl,
): Promise<(OpenSaved & { readonly factorization: Factorization }) | undefined> {
  const { readContainerHeader } = await import('../io/container.js');
  const { header } = await readContainerHeader(file, { signal: control.signal });
  if (header['content'] !== 'factorization') return undefined;
  const { load } = await import('../files/load.js');
  const factorization = await load(file, { kind: 'factorization', ...control });
  const { matrix } = factorization.kept;
  return { factorization, matrix, input: inputOf(file, matrix) };
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
