/**
 * Factorizations in the Kronecker eigenbasis in files: the basis, c·A by its eigenvectors, and the factored core.
 */
import { kindOf } from '../../core/kind.js';
import { view } from '../../dense/matrix.js';
import { factorizationFile } from '../../hierarchical/factor/file.js';
import type { ContainerArray } from '../../io/container.js';
import { keptWithin } from '../../io/contents.js';
import { keptAs, restoreAs, type FileKind } from '../../operator/file-kind.js';
import { keepBasis, restoreBasis, rotatedSize } from './basis-file.js';
import { KroneckerFactorization, type ComplementEigen } from './factorization.js';

/** Factorizations of `factorKronecker` in files. */
export const kroneckerFactorizationFile: FileKind<KroneckerFactorization> = {
  content: 'kronecker factorization',
  holds: (value) => kindOf(value) === 'factorization' && !('indefinite' in (value as KroneckerFactorization)),

  keep({ size, shift, kept: { layers, complements, core } }) {
    const basis = keepBasis(layers);
    const eigen: Record<string, ContainerArray> = {};
    complements.forEach((complement, ℓ) => {
      if (complement === null) return;
      eigen[`complementValues.${ℓ}`] = complement.values;
      eigen[`complementVectors.${ℓ}`] = complement.vectors.data;
    });
    const factored = core === null ? null : keptAs(factorizationFile, core);
    return {
      header: { size, shift, layers: basis.layers, core: factored?.header ?? null },
      arrays: { ...basis.arrays, ...eigen, ...keptWithin('core', factored?.arrays ?? {}) },
      ranks: factored?.ranks,
    };
  },

  restore(contents, team) {
    const { header } = contents;
    const size = contents.count(header['size'], 'size');
    const shift = contents.number(header['shift'], 'shift', Number.MIN_VALUE);
    const layers = restoreBasis(contents, size);
    const complements = layers.map(({ complement, width }, ℓ): ComplementEigen | null => {
      if (complement === null) return null;
      const values = contents.finite(`complementValues.${ℓ}`, width, 'f64') as Float64Array;
      if (values.some((value) => value < 0)) contents.refuse(`the complement of layer ${ℓ} has negative eigenvalues`);
      return {
        values,
        vectors: view(contents.finite(`complementVectors.${ℓ}`, width * width, 'f64'), 0, width, width),
      };
    });
    const core = header['core'] === null ? null : restoreAs(factorizationFile, contents.within('core'), team);
    if (core !== null && (core.size !== rotatedSize(layers) || core.shift !== shift))
      contents.refuse(`its core is of order ${core.size} with shift ${core.shift}`);
    return new KroneckerFactorization({ layers, complements, core }, size, shift, team);
  },
};
