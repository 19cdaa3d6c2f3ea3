/**
 * Whether a hierarchical matrix is better made from entries or from products, by predicted flops.
 * At equal memory, bases from products are the more accurate ones (they see the whole block row, sampled rows see some
 * of it): with HODLR, matrices are about half as large. So products are taken unless they cost much more.
 */
import { compressionCost } from '../../hierarchical/from-products/cost.js';
import { entriesCost } from '../../hierarchical/from-entries/cost.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';

/** Flops of one entry and of a product with one vector, where they are known. */
export interface UnitCosts {
  readonly entry: number;
  readonly product: number;
}

/** How many times the flops of entries products may cost: more where they save half of the memory. */
const WORTH = { hss: 2, hodlr: 8 } as const;

/** Whether to take products, each way at the ranks it would be run with; entries where the costs are not known. */
export function preferProducts(
  tree: ClusterTree,
  format: 'hss' | 'hodlr',
  ranks: { readonly entries: number; readonly products: number },
  costs: UnitCosts | undefined,
): boolean {
  if (costs === undefined) return false;
  const entries = entriesCost(tree, ranks.entries);
  const products = compressionCost(tree, { format, maxRank: ranks.products });
  return (
    products.products * costs.product + products.flops <=
    WORTH[format] * (entries.entries * costs.entry + entries.flops)
  );
}
