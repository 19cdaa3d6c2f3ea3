/**
 * How the samples of a curvature operator are cut: into groups, whose sums are added by the tree of sum-tree.ts; groups
 * that are more than what is held at a time into segments, which are summed one after another; and a rank's segments
 * into batches, whose passes are held together. Groups and segments depend on sizes and options alone, so that a sum
 * has the same bits however many ranks, batches and workers make it.
 */
import { additions, leafSteps, type RankPlace, type SumNode } from '../../core/sum-tree.js';
import { GROUP_SHARES, sampleGroupFirst, sampleGroups } from '../../distributed/sample-groups.js';

/** Samples (or slices of them) of one group that are summed without a break. */
export interface Segment {
  readonly group: number;
  /** Number of its first sample, and how many there are. */
  readonly first: number;
  readonly count: number;
  /** Whether its group begins and ends with it. */
  readonly begins: boolean;
  readonly ends: boolean;
}

/** Segments that are held together: their samples follow one another. */
export interface Batch {
  readonly first: number;
  readonly count: number;
  readonly segments: readonly Segment[];
}

/**
 * The batches of some nodes of groups, `firstOf` the first sample of a group, of which up to `capacity` samples are
 * held at a time.
 */
export function batchesOf(nodes: readonly SumNode[], firstOf: (group: number) => number, capacity: number): Batch[] {
  const batches: Batch[] = [];
  let open: Segment[] = [];
  let held = 0;
  const close = (): void => {
    if (open.length > 0) batches.push({ first: open[0].first, count: held, segments: open });
    [open, held] = [[], 0];
  };
  for (const { leaf: group } of nodes.flatMap(leafSteps)) {
    const end = firstOf(group + 1);
    for (let first = firstOf(group); first < end; first += capacity) {
      const count = Math.min(capacity, end - first);
      if (held + count > capacity) close();
      open.push({ group, first, count, begins: first === firstOf(group), ends: first + count === end });
      held += count;
    }
  }
  close();
  return batches;
}

/** A rank's samples. */
export interface SampleCut {
  /** Its nodes of the tree over all groups. */
  readonly nodes: readonly SumNode[];
  readonly batches: readonly Batch[];
  /** Most samples of a batch. */
  readonly capacity: number;
  /** Most samples of a segment, of any rank. */
  readonly segment: number;
  /** Whether no segment is less than a group, which is so where all samples can be held. */
  readonly whole: boolean;
}

/** Cuts the samples of which up to `capacity` can be held at a time. */
export function cutSamples(samples: number, capacity: number, place: RankPlace): SampleCut {
  const nodes = GROUP_SHARES.nodes(samples, place);
  const batches = batchesOf(nodes, (group) => sampleGroupFirst(samples, group), capacity);
  return {
    nodes,
    batches,
    capacity: Math.max(0, ...batches.map(({ count }) => count)),
    segment: Math.min(Math.ceil(samples / sampleGroups(samples)), capacity),
    whole: capacity >= samples,
  };
}

/** What a task does with a segment: its terms go to a place, and then places are added, `to` ← it + the next. */
export interface SumStep {
  /** Where its samples begin among those that are held, and how many there are. */
  readonly at: number;
  readonly count: number;
  readonly place: number;
  /** Whether the place begins with it. */
  readonly begins: boolean;
  readonly adds: readonly number[];
}

/** The steps of a batch within a node. */
export function stepsWithin(node: SumNode, { first, segments }: Batch): readonly SumStep[] {
  return leafSteps(node).flatMap(({ leaf, place, adds }) =>
    segments
      .filter(({ group }) => group === leaf)
      .map((segment) => ({
        at: segment.first - first,
        count: segment.count,
        place,
        begins: segment.begins,
        adds: segment.ends ? adds : [],
      })),
  );
}

/** Nodes in parts, each a node itself, so that tasks can sum them side by side. */
export interface Parts {
  readonly nodes: readonly SumNode[];
  /** Number of the first part of each of the nodes that were cut. */
  readonly firsts: readonly number[];
  /** What is to be added, in order, for the first part of each node to hold its sum. */
  readonly combine: readonly { readonly to: number; readonly from: number }[];
}

/** Cuts nodes into at least `wanted` parts, where they have as many groups. */
export function cutNodes(nodes: readonly SumNode[], wanted: number): Parts {
  const most = Math.max(1, ...nodes.map(({ count }) => count));
  let size = most;
  const partsOf = (): number => nodes.reduce((sum, { count }) => sum + Math.ceil(count / size), 0);
  while (size > 1 && partsOf() < wanted) size /= 2;
  const firsts: number[] = [];
  const parts: SumNode[] = [];
  const combine: { to: number; from: number }[] = [];
  for (const { first, count } of nodes) {
    const begin = parts.length;
    firsts.push(begin);
    const length = Math.min(size, count);
    for (let at = first; at < first + count; at += length) parts.push({ first: at, count: length });
    combine.push(...additions(parts.slice(begin)).map(({ to, from }) => ({ to: begin + to, from: begin + from })));
  }
  return { nodes: parts, firsts, combine };
}
