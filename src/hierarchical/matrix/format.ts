/**
 * The formats of a hierarchical matrix.
 */

/**
 * - `hodlr`: every sibling block has a basis of its own (hierarchically off-diagonal low rank);
 * - `hss`: bases are nested, a parent's built from its children's skeletons (hierarchically semiseparable);
 * - `fmm`: nested bases, and the blocks of near leaves stored dense as a sparse correction, within the budget.
 */
export type HierarchicalFormat = 'hodlr' | 'hss' | 'fmm';
/** All values of {@link HierarchicalFormat}. */
export const FORMATS: readonly string[] = ['hodlr', 'hss', 'fmm'];
