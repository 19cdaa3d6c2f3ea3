/**
 * The factorization engine of a matrix's format.
 */
import type { Precision } from '../../core/floats.js';
import type { HierarchicalData } from '../matrix/data.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import type { FactorEngine, PlaceFactors } from './engine.js';
import { HodlrEngine } from './hodlr/engine.js';
import { UlvEngine } from './ulv/engine.js';

/** Whether a matrix is factored as HODLR, and so by Cholesky alone. */
export const isFactoredAsHodlr = ({ format }: HierarchicalData): boolean => FORMAT_TABLE[format].factoredBy === 'hodlr';

/** Throws OptionError where the matrix has no direct factorization. */
export const makeEngine = (
  data: HierarchicalData,
  precision: Precision,
  indefinite: boolean,
  place?: PlaceFactors,
): FactorEngine =>
  isFactoredAsHodlr(data) ? new HodlrEngine(data, precision, place) : new UlvEngine(data, precision, indefinite, place);
