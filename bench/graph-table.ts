/**
 * The table of task graphs in docs/benchmarks.md, made from bench/results/graph.json alone: `node
 * dist/bench/graph-table.js` writes it again.
 */
import type { GraphFigures, GraphResult } from './graph.js';
import { GRAPH_CASES } from './graph-cases.js';
import { digits } from './labels.js';
import { remakeSection, replaceSection } from './section.js';

/** The operations, by what they are called. */
const OPERATIONS = ['compress', 'product', 'factor', 'solve'] as const;

function row(label: string, name: string, { tasks, flops, criticalPath, makespans }: GraphFigures): string {
  const share = (part: number): string => `${((100 * part) / flops).toFixed(1)} %`;
  const gains = makespans.slice(1).map((makespan) => (flops / makespan).toFixed(2));
  return `| ${[label, name, tasks, digits(flops / 1e9, 3), share(criticalPath), ...gains].join(' | ')} |`;
}

export function makeGraphTable(results: readonly GraphResult[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const rows = GRAPH_CASES.flatMap((one) => byName.get(one.name) ?? []).flatMap((result) =>
    OPERATIONS.map((operation, k) => row(k === 0 ? result.label : '', operation, result[operation])),
  );
  return [
    '| | | tasks | Gflop | critical path | 2 workers | 4 workers | 8 workers |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** Replaces the section between the markers in docs/benchmarks.md. */
export function writeGraphTable(results: readonly GraphResult[]): void {
  replaceSection('graph', makeGraphTable(results));
}

remakeSection(import.meta.url, 'graph', writeGraphTable);
