/**
 * Factorizations in files: the matrix, and the factors' arrays.
 */
import { PRECISIONS } from '../../core/floats.js';
import { kindOf } from '../../core/kind.js';
import { keptWithin, type Contents } from '../../io/contents.js';
import { keptAs, restoreAs, type FileKind } from '../../operator/file-kind.js';
import { matrixFile } from '../matrix/file.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import type { PlaceFactors } from './engine.js';
import { Factorization } from './factorization.js';
import { isFactoredAsHodlr, makeEngine } from './make-engine.js';

/** Factorizations of `factor` in files. */
export const factorizationFile: FileKind<Factorization> = {
  content: 'factorization',
  holds: (value) => kindOf(value) === 'factorization' && 'indefinite' in (value as Factorization),

  keep({ kept, shift, precision, indefinite }) {
    const { header, arrays } = keptAs(matrixFile, kept.matrix);
    return {
      header: { shift, precision, indefinite, matrix: header },
      arrays: { ...keptWithin('matrix', arrays), ...kept.factors },
    };
  },

  restore(contents, team) {
    const { header } = contents;
    const matrix = restoreAs(matrixFile, contents.within('matrix'), team);
    const indefinite = header['indefinite'] === true;
    const shift = contents.number(header['shift'], 'shift', indefinite ? -Infinity : 0);
    const precision = contents.oneOf(header['precision'], PRECISIONS, 'precision');
    requireFactorable(contents, matrix, indefinite);
    const place: PlaceFactors = (name, length, own) => contents.finite(name, length, own);
    const engine = makeEngine(matrix.data, precision, indefinite, place);
    if (engine.kept['shift'][0] !== shift)
      contents.refuse(`its factors are of shift ${engine.kept['shift'][0]}, its header says ${shift}`);
    return new Factorization(matrix, engine, shift, team);
  },
};

function requireFactorable(contents: Contents, { data }: HierarchicalMatrix, indefinite: boolean): void {
  if (indefinite && isFactoredAsHodlr(data)) contents.refuse('an indefinite factorization of a HODLR matrix');
  const { far, near } = data.lists;
  const siblings = far.every((ν, k) => k % 2 === 0 || ((ν & 1) === 0 && far[k - 1] === ν - 1));
  if (!siblings || near.length !== (data.tree.begin.length + 1) / 2)
    contents.refuse(`a factorization of a matrix of format '${data.format}' with blocks besides those of siblings`);
}
