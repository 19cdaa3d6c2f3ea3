/**
 * Hierarchical matrices in the Kronecker eigenbasis in files: the basis, H̃ as a hierarchical matrix, and the report.
 */
import { kindOf } from '../../core/kind.js';
import { keptReport, keptWithin } from '../../io/contents.js';
import { matrixFile } from '../../hierarchical/matrix/file.js';
import { keptAs, restoreAs, type FileKind } from '../../operator/file-kind.js';
import { keepBasis, restoreBasis, rotatedSize } from './basis-file.js';
import { KroneckerHierarchicalMatrix, type KroneckerHierarchicalReport } from './matrix.js';

/** Matrices of `kroneckerHierarchical` in files. */
export const eigenbasisFile: FileKind<KroneckerHierarchicalMatrix> = {
  content: 'kronecker eigenbasis',
  holds: (value) => kindOf(value) === 'Kronecker matrix',

  keep(matrix) {
    matrix.requireUsable();
    const { size, layers, core, report } = matrix;
    const basis = keepBasis(layers);
    const kept = core === null ? null : keptAs(matrixFile, core);
    return {
      header: { size, layers: basis.layers, core: kept?.header ?? null, report: keptReport(report) },
      arrays: { ...basis.arrays, ...keptWithin('core', kept?.arrays ?? {}) },
    };
  },

  restore(contents, team) {
    const { header } = contents;
    const size = contents.count(header['size'], 'size');
    const layers = restoreBasis(contents, size);
    const core = header['core'] === null ? null : restoreAs(matrixFile, contents.within('core'), team);
    const rotated = rotatedSize(layers);
    if (core !== null && core.size !== rotated)
      contents.refuse(`its core is of order ${core.size}, its basis has ${rotated} directions`);
    const report = contents.report({ size });
    for (const name of ['norm', 'error']) contents.number(report[name], `report.${name}`);
    return new KroneckerHierarchicalMatrix(layers, core, size, report as unknown as KroneckerHierarchicalReport, team);
  },
};
