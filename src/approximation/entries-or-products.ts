/**
 * Whether a hierarchical matrix is better made from entries or from products, by predicted flops. Layer 6.
 * At equal memory, bases from products are the more accurate ones (they see the whole block row, sampled rows see some of it): with HODLR, matrices are about half as large. So products
 * are taken unless they cost much more.
 */
import { compressionCost } from '../hierarchical/compression-cost.js';
import type { ClusterTree } from '../tree/cluster-tree.js';

/** Flops of one entry and of a product with one vector, where they are known. */
export interface UnitCosts { readonly entry: number; readonly product: number }

/** How many times the flops of entries products may cost: more where they save half of the memory. */
const WORTH = { hss: 2, hodlr: 8 } as const;

/**
 * Flops of a compression from entries at rank s with leaves of m: N(5m/2 + 9s²/m) entries (diagonal and sampled rows of leaves; sampled rows, skeletons and couplings of inner nodes), and
 * the pivoted QR factorizations.
 */
export function entriesFlops(size: number, leafSize: number, rank: number, entry: number): number {
  const evaluated = size * (2.5 * leafSize + (9 * rank * rank) / leafSize);
  return evaluated * entry + size * (4 * leafSize ** 2 + (16 * rank ** 3) / leafSize);
}

/** Flops of a compression from products. */
export function productsFlops(tree: ClusterTree, format: 'hss' | 'hodlr', maxRank: number, product: number): number {
  const { products, flops } = compressionCost(tree, { format, maxRank });
  return products * product + flops;
}

/** The choice; products where costs are not known and there are no entries, entries where they are not known and there are. */
export function preferProducts(tree: ClusterTree, format: 'hss' | 'hodlr', leafSize: number, rank: number, maxRank: number, costs: UnitCosts | undefined): boolean {
  if (costs === undefined) return false;
  return productsFlops(tree, format, maxRank, costs.product) <= WORTH[format] * entriesFlops(tree.size, leafSize, rank, costs.entry);
}
