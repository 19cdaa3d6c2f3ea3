/**
 * Each kind of work as operations of TensorFlow.js.
 */
import type { WorkKind, WorkKinds } from '../work/work.js';
import { gathersProgram, productsProgram } from './products.js';
import type { TfProgram } from './program.js';
import { choleskyProgram, substitutionsProgram } from './triangles.js';
import { combinationProgram, innerProductsProgram } from './vectors.js';

/** Those kinds that TensorFlow.js has operations for. */
export const WORK_PROGRAMS: { readonly [K in WorkKind]?: (work: WorkKinds[K]) => TfProgram } = {
  products: productsProgram,
  gathers: gathersProgram,
  cholesky: choleskyProgram,
  substitutions: substitutionsProgram,
  combination: combinationProgram,
  innerProducts: innerProductsProgram,
};
