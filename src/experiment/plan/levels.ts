/**
 * The tree of a plan, level by level, as the rank has it that has most of it.
 */
import { levelTransfers } from '../../hierarchical/ranks/exchange.js';
import { dealing, type Dealing } from '../../hierarchical/ranks/share.js';
import type { PlanSetup } from './options.js';

/** One level. */
export interface TreeLevel {
  readonly level: number;
  /** Nodes that the rank computes: its own, and above `shareLevel` those that it holds with others. */
  readonly nodes: number;
  /** Indices, candidates, skeletons and eliminated candidates of a node: c = N/2^depth or 2·k of the level below. */
  readonly size: number;
  readonly candidates: number;
  readonly rank: number;
  readonly eliminated: number;
  /** Nodes whose numbers a rank sends to holders of the parent, and gets from them, at most. */
  readonly sends: number;
  readonly receives: number;
}

/** A tree and how it is dealt out. */
export interface PlannedTree {
  /** Level 0 first. */
  readonly levels: readonly TreeLevel[];
  /** The level whose nodes are dealt out: log₂P for a power of two. */
  readonly shareLevel: number;
  /** Nodes of that level that one rank has at most, and at least. */
  readonly most: number;
  readonly least: number;
  /** ⌈log₂P⌉: messages one after the other of a collective operation. */
  readonly rounds: number;
}

/** The tree of a setup. */
export function plannedTree({ size, ranks, depth, rankOfLevel }: PlanSetup): PlannedTree {
  const dealt = dealing(depth, ranks);
  const { level: shareLevel, bounds } = dealt;
  const counts = Array.from({ length: ranks }, (_, r) => bounds[r + 1] - bounds[r]);
  const most = Math.max(...counts);
  const levels = Array.from({ length: depth + 1 }, (_, level): TreeLevel => {
    const rank = rankOfLevel[level];
    const candidates = level === depth ? size / 2 ** depth : 2 * rankOfLevel[level + 1];
    return {
      level,
      nodes: level >= shareLevel ? most * 2 ** (level - shareLevel) : mostHeld(dealt, level),
      size: size / 2 ** level,
      candidates,
      rank,
      eliminated: candidates - rank,
      ...mostTransfers(dealt, level),
    };
  });
  return { levels, shareLevel, most, least: Math.min(...counts), rounds: Math.ceil(Math.log2(ranks)) };
}

/** Nodes of a level above the shared one that one rank holds at most. */
function mostHeld({ ranks, level: shareLevel, bounds }: Dealing, level: number): number {
  const below = 2 ** (shareLevel - level);
  let most = 0;
  for (let r = 0; r < ranks; r++)
    if (bounds[r] < bounds[r + 1])
      most = Math.max(most, Math.floor((bounds[r + 1] - 1) / below) - Math.floor(bounds[r] / below) + 1);
  return most;
}

/** What one rank sends and gets at a level at most; none below the shared level, nor at the root. */
function mostTransfers(dealt: Dealing, level: number): Pick<TreeLevel, 'sends' | 'receives'> {
  if (level === 0 || level > dealt.level) return { sends: 0, receives: 0 };
  const { ranks } = dealt;
  // Of equal shares, a power of two, every rank has one sibling.
  if (2 ** dealt.level === ranks) return { sends: 1, receives: 1 };
  const sends = new Float64Array(ranks);
  const receives = new Float64Array(ranks);
  for (const { from, to } of levelTransfers(dealt, level)) {
    sends[from]++;
    receives[to]++;
  }
  return { sends: Math.max(...sends), receives: Math.max(...receives) };
}
