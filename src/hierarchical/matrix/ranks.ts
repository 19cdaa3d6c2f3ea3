/**
 * Ranks by level. Layer 5.
 */
import { levelOf } from '../../core/indices.js';

/** `nodes` counts all nodes of the level; `mean` is over them. */
export interface LevelRanks { readonly level: number; readonly max: number; readonly mean: number; readonly nodes: number }

/** Ranks from the starts of the nodes' skeletons (`Skeletons.begin`), the level nearest the root first; levels without bases are left out. */
export function ranksByLevel(begin: Int32Array): LevelRanks[] {
  const levels: { level: number; max: number; sum: number; nodes: number }[] = [];
  for (let ν = 1; ν < begin.length - 1; ν++) {
    const level = levelOf(ν);
    const rank = begin[ν + 1] - begin[ν];
    const entry = (levels[level] ??= { level, max: 0, sum: 0, nodes: 0 });
    entry.max = Math.max(entry.max, rank);
    entry.sum += rank;
    entry.nodes++;
  }
  return levels.filter((entry) => entry.max > 0).map(({ level, max, sum, nodes }) => ({ level, max, mean: sum / nodes, nodes }));
}
