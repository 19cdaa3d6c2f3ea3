/**
 * Test matrices by their names. Test data.
 */
import { OptionError } from '../src/core/errors.js';
import type { EntrySource, SourceContext } from '../src/source/entry-source.js';
import { k02 } from './k02.js';
import { k13 } from './k13.js';
import { k15 } from './k15.js';

export const namedMatrices = ['K02', 'K13', 'K15'] as const;
export type NamedMatrix = (typeof namedMatrices)[number];

/** The test matrix `name` (any case) of size N = n²; throws OptionError for an unknown name or a size that is no square. */
export function named(name: string, size: number, context: SourceContext): EntrySource {
  switch (name.toUpperCase()) {
    case 'K02': return k02(size, context);
    case 'K13': return k13(size, context);
    case 'K15': return k15(size, context);
    default: throw new OptionError(`There is no test matrix "${name}"; there are ${namedMatrices.join(', ')}.`, { name });
  }
}
