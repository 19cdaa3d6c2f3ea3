/**
 * Orders of the indices: distances, neighbors, cluster trees.
 */
export { buildClusterTree, type ClusterTreeOptions } from '../tree/build.js';
export type { ClusterTree, GivenTree } from '../tree/cluster-tree.js';
export { DISTANCES, type DistanceName } from '../tree/distances/table.js';
export { findNeighbors, type NeighborOptions, type Neighbors } from '../tree/neighbors.js';
