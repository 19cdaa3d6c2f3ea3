/**
 * Test matrices by their names. Test data.
 */
import { OptionError } from '../src/core/errors.js';
import type { EntrySource, SourceContext } from '../src/source/entry-source.js';
import { covertypePoints } from './covertype.js';
import { k02 } from './k02.js';
import { k13 } from './k13.js';
import { k15 } from './k15.js';
import { exponentialOnGrid, maternOnGrid } from './kernels-on-grid.js';
import { scaledKernel, storedProducts } from './scaled-kernel.js';

export const namedMatrices = ['K02', 'K13', 'K15', 'COV', 'EXP', 'MATERN'] as const;
export type NamedMatrix = (typeof namedMatrices)[number];

/** The bandwidth of COV: about the first decile of the distances of its points. */
const covertypeBandwidth = 3;
/** Exact products with COV store it: 2.1 GB. */
const largestCovertype = 16_384;

/**
 * The test matrix `name` (any case) of size N: a square n² but for COV. Throws OptionError for an unknown name or a
 * size that there is not.
 */
export function named(name: string, size: number, context: SourceContext): EntrySource {
  switch (name.toUpperCase()) {
    case 'K02':
      return k02(size, context);
    case 'K13':
      return k13(size, context);
    case 'K15':
      return k15(size, context);
    case 'COV':
      return covertype(size, context);
    case 'EXP':
      return exponentialOnGrid(size, context);
    case 'MATERN':
      return maternOnGrid(size, context);
    default:
      throw new OptionError(`There is no test matrix "${name}"; there are ${namedMatrices.join(', ')}.`, { name });
  }
}

/** COV: a Gaussian kernel over the first `size` generated covertype points of seed 0, nothing added to the diagonal. */
function covertype(size: number, context: SourceContext): EntrySource {
  if (!Number.isSafeInteger(size) || size < 1 || size > largestCovertype)
    throw new OptionError(`COV has a size from 1 to ${largestCovertype}, not ${size}: its exact products store it.`, {
      size,
    });
  return scaledKernel(
    covertypePoints(size, 0),
    { family: 'gaussian', bandwidth: covertypeBandwidth },
    storedProducts,
    context,
  );
}
