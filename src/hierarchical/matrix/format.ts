/**
 * The formats of a hierarchical matrix by name, and what tells them apart. Types, options, help and error texts follow
 * from this table. A new format also needs code that compresses to it and, where it is factored, an engine.
 */
/** What distinguishes a format. */
export interface Format {
  /** In the command's help. */
  readonly description: string;
  /** Whether a parent's basis is built from its children's skeletons; else every sibling block has one of its own. */
  readonly nested: boolean;
  /** Whether blocks of near leaves off the diagonal are stored dense, within the budget. */
  readonly nearBlocks: boolean;
  /** Which engine factors it (hierarchical/factor), where no block off the diagonal is near. */
  readonly factoredBy: 'ulv' | 'hodlr';
}

const TABLE = {
  /** Hierarchically semiseparable. */
  hss: { description: 'nested bases', nested: true, nearBlocks: false, factoredBy: 'ulv' },
  /** Hierarchically off-diagonal low rank. */
  hodlr: { description: 'a basis per block', nested: false, nearBlocks: false, factoredBy: 'hodlr' },
  /** Nested bases with a sparse correction. */
  fmm: { description: 'hss and dense near blocks', nested: true, nearBlocks: true, factoredBy: 'ulv' },
} as const satisfies Readonly<Record<string, Format>>;

/** The name of a format. */
export type HierarchicalFormat = keyof typeof TABLE;
/** What distinguishes the formats. */
export const FORMAT_TABLE: Readonly<Record<HierarchicalFormat, Format>> = TABLE;
/** All values of {@link HierarchicalFormat}. */
export const FORMATS = Object.keys(TABLE) as readonly HierarchicalFormat[];
