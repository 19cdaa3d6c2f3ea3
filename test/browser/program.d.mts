/** Types of program.mjs. */
import type * as hmatrix from '#hmatrix/index.js';

export function results(library: typeof hmatrix, team: hmatrix.Team): Promise<Readonly<Record<string, string>>>;
