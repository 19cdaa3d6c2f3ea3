/**
 * What of the order of the tree a rank of a plan brings from others, for samples around its nodes
 * (hierarchical/ranks/brought-clusters.ts).
 */
import { poolRows, readableOf, type PoolRows } from '../../hierarchical/from-entries/row-pools.js';
import { candidateLimit, leastPool } from '../../hierarchical/from-entries/skeletonize.js';
import type { PlannedTree } from './levels.js';
import type { PlanSetup } from './options.js';
import { cutSides } from './searches.js';

/** Clusters that are brought, and rows; how many of these are different indices. */
export interface PlannedClusters {
  readonly clusters: number;
  readonly rows: number;
  readonly distinct: number;
}

/** Of clusters around a node, so many are read with those that are their siblings. */
const WITH_SIBLINGS = 1.5;
/** The share of rows that are in no other pool or cluster, as counted of 524,288 points on 16 ranks. */
const DISTINCT = 0.9;

/** Clusters for a rank's own nodes, then for those of each level above that several ranks have. */
export function plannedClusters(setup: PlanSetup, { shareLevel }: Pick<PlannedTree, 'shareLevel'>): PlannedClusters[] {
  const { size, ranks, leafSize, rankOfLevel } = setup;
  if (ranks === 1) return [];
  const pools = poolRows(leastPool(candidateLimit(size, leafSize, Math.ceil(Math.max(...rankOfLevel)))), leafSize);
  // Where no cluster is large all that there are come at once.
  if (size <= 2 * pools.most)
    return Array.from({ length: shareLevel }, (_, above) => {
      const rows = above === 0 ? size - size / ranks : 0;
      return { clusters: Math.sign(rows), rows, distinct: rows };
    });
  return Array.from({ length: shareLevel }, (_, above) => around(setup, size / 2 ** (shareLevel - above), pools));
}

/**
 * Small clusters beside a node of n indices, and pools of larger ones: those beyond each side of it, some with their
 * siblings; one of each level at least.
 */
function around({ size, dimension }: PlanSetup, n: number, pools: PoolRows): PlannedClusters {
  let [clusters, rows] = [0, 0];
  for (let cluster = size / 2 ** Math.ceil(Math.log2(size / pools.least)); cluster < size; cluster *= 2) {
    const own = Math.max(1, n / cluster);
    const all = size / cluster;
    const beside = own * ((1 + 2 * own ** (-1 / dimension)) ** dimension - 1) * cutSides(all / own, dimension);
    const some = Math.min(all - own, Math.max(1, WITH_SIBLINGS * beside));
    clusters += some;
    rows += some * readableOf(cluster, size, pools);
  }
  rows = Math.min(rows, size - n);
  return { clusters, rows, distinct: DISTINCT * rows };
}
